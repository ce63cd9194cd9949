//! User data: erases a user's personal data on request, and deletes chat messages that are older than the retention
//! time.

use std::sync::Arc;
use std::time::Duration;

use super::Moderation;
use crate::app::chat::WRITE_BEHIND_MS;
use crate::app::context::Context;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::staff::check_rank;
use crate::domain::{AccountId, Actor, Event, Language, Millis, Permission, Place, Refusal, UserId};
use crate::protocol::{ErasedView, KeptView};
use crate::store::ErasureReport;

const PRUNE_INTERVAL: Duration = Duration::from_secs(60);
/// Pause between two batches, so that purchases are not delayed.
const BATCH_PAUSE: Duration = Duration::from_millis(50);

impl Moderation {
    /// Erases the caller's own data. `language`: for what is kept and why, if the caller has no account with one.
    pub async fn erase_own_data(self: &Arc<Self>, actor: &Actor, language: Language) -> Result<ErasedView> {
        self.stream_cache.authorize_in_shop(actor, Permission::UseOwnData).await?;
        // The roles and the passkeys of an account go with it: who reads somebody's mail must not get that far.
        if actor.session.as_ref().is_some_and(|session| session.passkey.is_needed()) {
            return Err(Refusal::PasskeyNeeded.into());
        }
        if let Some(account) = AccountId::of_user(&actor.user)
            && !self.context.store.staff_roles(account).await?.is_empty()
        {
            actor.check_recent_sign_in(self.context.now())?;
        }
        self.erase(actor.user.clone(), language).await
    }

    /// Erases another user's data: for an admin, when the user asked outside of the system.
    pub async fn erase_user_data(
        self: &Arc<Self>,
        actor: &Actor,
        user: UserId,
        language: Language,
    ) -> Result<ErasedView> {
        self.stream_cache.authorize_in_shop(actor, Permission::EraseUserData).await?;
        actor.check_recent_sign_in(self.context.now())?;
        if let Some(account) = AccountId::of_user(&user) {
            // An erased account loses its roles, and roles are taken only downwards in rank.
            let own = actor.role_in(Place::Shop);
            let roles = self.context.store.staff_roles(account).await?;
            roles.iter().try_for_each(|place| check_rank(own, place.role))?;
        }
        self.erase(user, language).await
    }

    async fn erase(self: &Arc<Self>, user: UserId, fallback: Language) -> Result<ErasedView> {
        let this = self.clone();
        let account = match AccountId::of_user(&user) {
            Some(account) => self.context.store.account(account).await?,
            None => None,
        };
        let language = account.map_or(fallback, |account| account.language);
        self.context
            .spawn_write(async move {
                this.chat.flush().await;
                let mut erased = this.context.store.erase_user_data(&user).await?;
                for stream in &erased.streams {
                    this.publisher.publish_committed_event(*stream, &Event::Erased { user: user.clone() }).await;
                    this.stream_cache.refresh_stream(*stream);
                }
                if this.publisher.broker.is_shared() {
                    // Messages that another node broadcast a moment ago and had not written yet.
                    tokio::time::sleep(Duration::from_millis(WRITE_BEHIND_MS.unsigned_abs())).await;
                    erased.messages += this.context.store.erase_user_data(&user).await?.messages;
                    for stream in &erased.streams {
                        this.context.store.erase_orphaned_quotes(*stream).await?;
                    }
                }
                tracing::info!(messages = erased.messages, orders = erased.orders, "a user's data was erased");
                Ok(erased_view(erased, language))
            })
            .await
    }
}

fn erased_view(erased: ErasureReport, language: Language) -> ErasedView {
    let ErasureReport {
        messages, orders, addresses_kept, documents, texts, sanctions, mailboxes, audit_entries, ..
    } = erased;
    let counts = [orders, addresses_kept, documents, sanctions, mailboxes, audit_entries];
    let kept = KEPT.into_iter().zip(counts).filter(|(_, count)| *count > 0);
    let kept = kept.map(|((what, why), count)| {
        let [english, arabic, indonesian] = why;
        let why = match language {
            Language::English => english,
            Language::Arabic => arabic,
            Language::Indonesian => indonesian,
        };
        KeptView { what: what.into(), count, why: why.into() }
    });
    ErasedView { messages, orders, texts, language, kept: kept.collect() }
}

/// What an erasure keeps, and why: in English, Arabic and Indonesian.
const KEPT: [(&str, [&str; 3]); 6] = [
    (
        "orders",
        [
            "Amounts, times and the buyer's id: the shop's accounting and refunds need them.",
            "المبالغ والأوقات ومعرّف المشتري: تحتاج إليها محاسبة المتجر وردّ المبالغ.",
            "Jumlah, waktu, dan ID pembeli: diperlukan untuk pembukuan toko dan pengembalian dana.",
        ],
    ),
    (
        "addresses",
        [
            "Addresses of orders that are open, or paid and not sent. Each is erased when its order was sent or has ended.",
            "عناوين الطلبات المفتوحة، أو المدفوعة التي لم تُرسل بعد. يُمحى كل عنوان عندما يُرسل طلبه أو ينتهي.",
            "Alamat pesanan yang masih terbuka, atau sudah dibayar tetapi belum dikirim. Setiap alamat dihapus setelah \
             pesanannya dikirim atau berakhir.",
        ],
    ),
    (
        "invoices",
        [
            "Invoices and credit notes with the buyer's name and address: tax law requires the shop to keep them.",
            "الفواتير والإشعارات الدائنة باسم المشتري وعنوانه: يُلزم قانون الضرائب المتجر بالاحتفاظ بها.",
            "Faktur dan nota kredit dengan nama dan alamat pembeli: hukum pajak mewajibkan toko menyimpannya.",
        ],
    ),
    (
        "sanctions",
        [
            "The id of a muted or banned user, until the sanction ends.",
            "معرّف المستخدم المكتوم أو المحظور، إلى أن تنتهي العقوبة.",
            "ID pengguna yang dibisukan atau diblokir, sampai sanksinya berakhir.",
        ],
    ),
    (
        "mailbox",
        [
            "A hash of the e-mail address, until a mute, a block or a sale with a limit per buyer ends and placed orders are paid: it holds for the person, also \
             under a new account.",
            "بصمة مشفّرة لعنوان البريد الإلكتروني، إلى أن ينتهي الكتم أو الحظر أو عرض محدود الكمية لكل مشترٍ وتُدفع الطلبات المسجّلة: فهو يسري على الشخص، \
             ولو بحساب جديد.",
            "Hash dari alamat email, sampai pembisuan, blokir, atau penjualan dengan batas per pembeli berakhir dan pesanan yang tercatat dibayar: hal itu berlaku \
             bagi orangnya, juga dengan akun baru.",
        ],
    ),
    (
        "audit_log",
        [
            "What the team did and when, by id, so that it can be reviewed. Texts with the full name or the id are erased; texts \
             that describe the user in other words are not found.",
            "ما فعله الفريق ومتى، بالمعرّف، حتى يمكن مراجعته. تُمحى النصوص التي تحمل الاسم الكامل أو المعرّف، أما النصوص \
             التي تصف المستخدم بكلمات أخرى فلا يُعثر عليها.",
            "Apa yang dilakukan tim dan kapan, dengan ID, agar dapat ditinjau. Teks dengan nama lengkap atau ID dihapus; teks \
             yang menggambarkan pengguna dengan kata lain tidak ditemukan.",
        ],
    ),
];

/// Deletes chat messages that are older than the retention time, if they are not kept forever.
pub struct RetentionJob(pub Arc<Context>);

impl BackgroundJob for RetentionJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("chat_retention", PRUNE_INTERVAL, Duration::from_secs(300))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        if let Some(kept_ms) = self.0.chat_kept_ms() {
            delete_old_messages(&self.0, self.0.now() - kept_ms).await?;
        }
        Ok(NextRun::AfterInterval)
    }
}

/// Deletes all messages from before `before`, in small batches.
async fn delete_old_messages(context: &Context, before: Millis) -> Result<u64> {
    let mut deleted = 0;
    loop {
        let batch = context.store.delete_messages_before(before).await?;
        deleted += batch;
        if batch == 0 || context.stop.is_cancelled() {
            break;
        }
        tokio::time::sleep(BATCH_PAUSE).await;
    }
    if deleted > 0 {
        tracing::info!(messages = deleted, "old chat messages were deleted");
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::domain::{Author, ChatMessage, MessageId, Role, StreamId};

    #[tokio::test]
    async fn messages_are_deleted_when_their_retention_time_is_over() {
        let (app, _folder) = testing::app().await;
        let from = Author { id: UserId::parse("ann").unwrap(), name: "Ann".into(), role: Role::Viewer };
        let message = |stream| ChatMessage {
            id: MessageId::new(),
            stream,
            at: 0,
            from: from.clone(),
            text: "hi".into(),
            reply: None,
            deleted: false,
        };
        let stream = StreamId::new();
        let messages: Vec<_> = (0..600).map(|_| message(stream)).collect();
        app.context.store.insert_messages(&messages).await.unwrap();
        let (days, now) = (90 * 86_400_000, app.context.now());
        assert_eq!(delete_old_messages(&app.context, now - days).await, Ok(0));
        // The clock ninety days and a minute later.
        assert_eq!(delete_old_messages(&app.context, (now + days + 60_000) - days).await, Ok(600));
        assert_eq!(app.context.store.count_messages(stream).await.unwrap(), 0);
    }
}
