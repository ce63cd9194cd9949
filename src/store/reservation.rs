//! Reservations: the rows that a batch of purchases inserts. Only reserving and releasing units touch the offer's row.

use uuid::Uuid;

use super::row::from_row;
use super::{Error, Result, Store, require_known};
use crate::domain::{
    IdempotencyKey, OfferId, OrderId, PersonKey, Reservation, ReservationId, ReservationStatus, StreamId, UserId,
};

pub(super) struct ReservationRow {
    id: Uuid,
    stream: Uuid,
    offer: Uuid,
    order_id: Option<Uuid>,
    buyer: String,
    buyer_name: String,
    status: String,
    qty: i64,
    returned: i64,
    amount: i64,
    currency: String,
    place: i64,
    created_at: i64,
    hold_until: i64,
    reason: Option<String>,
    version: i64,
}

from_row!(ReservationRow {
    id,
    stream,
    offer,
    order_id,
    buyer,
    buyer_name,
    status,
    qty,
    returned,
    amount,
    currency,
    place,
    created_at,
    hold_until,
    reason,
    version
});

impl ReservationRow {
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn offer(&self) -> OfferId {
        OfferId(self.offer)
    }

    pub fn qty(&self) -> i64 {
        self.qty
    }

    pub fn into_reservation(self) -> Result<Reservation> {
        Ok(Reservation {
            id: OrderId(self.id),
            stream: StreamId(self.stream),
            offer: OfferId(self.offer),
            order: self.order_id.map(OrderId),
            buyer: UserId::parse(&self.buyer).map_err(|_| Error::CorruptRow(format!("buyer `{}`", self.buyer)))?,
            buyer_name: self.buyer_name,
            status: require_known(ReservationStatus::parse(&self.status), "reservation status", &self.status)?,
            qty: self.qty,
            returned: self.returned,
            amount: self.amount,
            currency: self.currency,
            place: self.place,
            created_at: self.created_at,
            hold_until: self.hold_until,
            reason: self.reason,
            version: self.version,
        })
    }
}

/// A statement with every column of a reservation between its two halves.
macro_rules! reservations {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, stream, offer, order_id, buyer, buyer_name, status, qty, returned, amount, currency, place, created_at,
            hold_until, reason, version ",
            $after
        )
    };
}

pub(super) use reservations;

/// The status that an order has whose only line is the reservation with this prefix.
macro_rules! line_status {
    ($prefix:literal) => {
        concat!(
            "case when ",
            $prefix,
            "status <> 'sold' then ",
            $prefix,
            "status when ",
            $prefix,
            "returned = ",
            $prefix,
            "qty then 'refunded' else 'paid' end"
        )
    };
}

pub(super) use line_status;

/// Reservations that were made by idempotency keys, with what each key was used for.
pub(super) const KEYED_RESERVATIONS_ON_POSTGRES: &str =
    reservations!("select hash, ", "from reservations where id = any($1)");
pub(super) const KEYED_RESERVATIONS_ON_SQLITE: &str =
    reservations!("select hash, ", "from reservations where id in (select unhex(value) from json_each($1))");

pub(super) struct KeyedReservationRow {
    pub hash: Vec<u8>,
    pub reservation: ReservationRow,
}

from_row!(KeyedReservationRow { hash } and reservation);

impl Store {
    pub async fn reservation(&self, id: ReservationId) -> Result<Option<Reservation>> {
        let read = reservations!("select", "from reservations where id = $1");
        let row: Option<ReservationRow> = self.query(read).bind(id.0).fetch_optional().await?;
        row.map(ReservationRow::into_reservation).transpose()
    }

    pub async fn reservation_by_key(&self, buyer: &UserId, key: &IdempotencyKey) -> Result<Option<Reservation>> {
        let read = reservations!("select", "from reservations where buyer = $1 and key = $2");
        let row: Option<ReservationRow> =
            self.query(read).bind(buyer.as_str()).bind(key.as_str()).fetch_optional().await?;
        row.map(ReservationRow::into_reservation).transpose()
    }

    /// Finds the reservations of a person that count for the limit per buyer of an offer.
    pub async fn counted_reservations(&self, person: &PersonKey, offer: OfferId) -> Result<Vec<ReservationId>> {
        let read = "select id from reservations where offer = $1 and person = $2
            and status in ('held', 'capturing', 'placed', 'sold') and returned < qty order by id limit 100";
        let ids: Vec<Uuid> = self.query(read).bind(offer.0).bind(person.as_str()).fetch_values().await?;
        Ok(ids.into_iter().map(OrderId).collect())
    }

    /// Finds the buyers of the places after `from` up to `last`, whatever became of their reservations. They are all in memory at
    /// once, so the places are some thousands.
    pub async fn buyers_at_places(&self, offer: OfferId, from: i64, last: i64) -> Result<Vec<UserId>> {
        let read = "select buyer from reservations where offer = $1 and place > $2 and place <= $3";
        let buyers: Vec<String> = self.query(read).bind(offer.0).bind(from).bind(last).fetch_values().await?;
        let parse = |buyer: String| UserId::parse(&buyer).map_err(|_| Error::CorruptRow(format!("buyer `{buyer}`")));
        buyers.into_iter().map(parse).collect()
    }

    /// Finds offers whose counter of reserved units differs from the sum of their reservations. It must always be empty.
    pub async fn reservation_mismatches(&self) -> Result<Vec<OfferId>> {
        let ids: Vec<Uuid> = self.query("select id from reservation_mismatches").fetch_values().await?;
        Ok(ids.into_iter().map(OfferId).collect())
    }
}
