//! Search in the catalogue: the words of the products, and the products that have the words of a search.
//!
//! PostgreSQL finds words in an inverted index (GIN over a tsvector that holds our words), SQLite in an FTS5 table. Which words are alike is
//! decided by `domain::search_text`, from the words that share parts of three letters, so both databases find the same products, and
//! no extension is needed.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json, titles_from_json};
use crate::domain::search_text::{alike, grams, terms, words};

/// Products whose words one step writes.
pub const INDEXED_TOGETHER_MAX: i64 = 500;
/// Words that one step looks at.
const PRUNED_TOGETHER_MAX: i64 = 200;
/// Words that share the most parts with a mistyped one, and are compared with it.
const CANDIDATES_MAX: i64 = 100;

impl Store {
    /// Writes the words of products that are new or have changed, some hundred at most. Gives how many there were.
    pub async fn index_products(&self) -> Result<i64> {
        let waiting = "select cast(count(*) as bigint) from
            (select 1 from products where search_stale = 1 limit 1) p";
        let waiting: i64 = self.query(waiting).fetch_value().await?;
        if waiting == 0 {
            return Ok(0);
        }
        self.transaction(async |tx| index_some(tx).await).await
    }

    /// Deletes the words after `after` that no product has any more, of the next few hundred. Gives where the next call begins, and how
    /// many were deleted; `None`: there are no more words.
    pub async fn prune_search_words(&self, after: &str) -> Result<(Option<String>, u64)> {
        let read = "select word from search_words where word > $1 order by word limit $2";
        let words: Vec<String> = self.query(read).bind(after).bind(PRUNED_TOGETHER_MAX).fetch_values().await?;
        let Some(last) = words.last().cloned() else { return Ok((None, 0)) };
        let deleted = self.transaction(async |tx| prune_some(tx, after, &last).await).await?;
        Ok((Some(last), deleted))
    }

    /// What the search asks the index for; `None`: no product has such words.
    pub(super) async fn search_query(&self, search: &str) -> Result<Option<String>> {
        let mut parts = Vec::new();
        for term in terms(search) {
            let Some(part) = self.search_part(&term).await? else { return Ok(None) };
            parts.push(part);
        }
        let and = self.choose(" & ", " AND ");
        Ok((!parts.is_empty()).then(|| parts.join(and)))
    }

    /// Words that begin with `term`, or else words that are like it.
    async fn search_part(&self, term: &str) -> Result<Option<String>> {
        let known = "select word from search_words where word >= $1 and word < $2 limit 1";
        let beyond = format!("{term}{}", char::MAX);
        let known: Option<String> = self.query(known).bind(term).bind(beyond).fetch_optional_value().await?;
        let begin = |word: &str| match self {
            Store::Postgres(_) => format!("'{word}':*"),
            Store::Sqlite(_) => format!("\"{word}\"*"),
        };
        if known.is_some() {
            return Ok(Some(begin(term)));
        }
        // A number that differs in a digit is another number, and so is a barcode.
        if term.chars().any(char::is_numeric) {
            return Ok(None);
        }
        let read = self.choose(
            "select word from search_grams where gram in (select json_array_elements_text($1::json))
                group by word order by count(*) desc, word limit $2",
            "select word from search_grams where gram in (select value from json_each($1))
                group by word order by count(*) desc, word limit $2",
        );
        let parts = to_json(&grams(term))?;
        let candidates: Vec<String> = self.query(read).bind(parts).bind(CANDIDATES_MAX).fetch_values().await?;
        let meant: Vec<String> = alike(term, candidates).iter().map(|word| begin(word)).collect();
        let or = self.choose(" | ", " OR ");
        Ok((!meant.is_empty()).then(|| format!("({})", meant.join(or))))
    }
}

/// A word that a product is getting at this moment must stay, so nothing is indexed meanwhile.
const WORDS_LOCK: &str = "search words";

async fn prune_some(tx: &mut Transaction<'_>, after: &str, last: &str) -> Result<u64> {
    tx.lock_name(WORDS_LOCK).await?;
    let read = tx.choose(
        "select w.word from search_words w where w.word > $1 and w.word <= $2 and not exists
            (select 1 from product_words p where p.vector @@ cast('''' || w.word || '''' as tsquery))",
        "select w.word from search_words w where w.word > $1 and w.word <= $2 and not exists
            (select 1 from product_words_index p where p.product_words_index match '\"' || w.word || '\"')",
    );
    let unused: Vec<String> = tx.query(read).bind(after).bind(last).fetch_values().await?;
    if unused.is_empty() {
        return Ok(0);
    }
    let grams: Vec<(String, &String)> =
        unused.iter().flat_map(|word| grams(word).into_iter().map(move |gram| (gram, word))).collect();
    let delete = tx.choose(
        "delete from search_grams g using json_array_elements($1::json) v where g.gram = v->>0 and g.word = v->>1",
        "delete from search_grams where (gram, word) in (select value->>0, value->>1 from json_each($1))",
    );
    tx.query(delete).bind(to_json(&grams)?).execute().await?;
    let delete = tx.choose(
        "delete from search_words where word in (select json_array_elements_text($1::json))",
        "delete from search_words where word in (select value from json_each($1))",
    );
    tx.query(delete).bind(to_json(&unused)?).execute().await
}

async fn index_some(tx: &mut Transaction<'_>) -> Result<i64> {
    tx.lock_name_shared(WORDS_LOCK).await?;
    let read = tx.choose(
        "select id, title, titles, category from products where search_stale = 1 order by id limit $1
            for update skip locked",
        "select id, title, titles, category from products where search_stale = 1 order by id limit $1",
    );
    type Row = (Uuid, String, String, Option<String>);
    let rows: Vec<Row> = tx.query(read).bind(INDEXED_TOGETHER_MAX).fetch_all().await?;
    let ids = ids_to_json(rows.iter().map(|(id, ..)| *id))?;
    let read = tx.choose(
        "select product, name, names, sku, barcode from variants where removed_at is null
            and product = any (array(select json_array_elements_text($1::json)::uuid)) order by product, position",
        "select product, name, names, sku, barcode from variants where removed_at is null
            and product in (select unhex(value) from json_each($1)) order by product, position",
    );
    type VariantRow = (Uuid, String, String, Option<String>, Option<String>);
    let variants: Vec<VariantRow> = tx.query(read).bind(ids.clone()).fetch_all().await?;
    let mut texts: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut add = |product: Uuid, text: &str| {
        let all = texts.entry(product).or_default();
        all.push_str(text);
        all.push('\n');
    };
    for (id, title, titles, category) in &rows {
        add(*id, title);
        titles_from_json(titles)?.values().for_each(|title| add(*id, title));
        add(*id, category.as_deref().unwrap_or_default());
    }
    for (product, name, names, sku, barcode) in &variants {
        add(*product, sku.as_deref().unwrap_or_default());
        add(*product, barcode.as_deref().unwrap_or_default());
        add(*product, name);
        titles_from_json(names)?.values().for_each(|name| add(*product, name));
    }
    let mut all_words = BTreeSet::new();
    let documents: Vec<(String, String)> = texts
        .into_iter()
        .map(|(product, text)| {
            let words = words(&text);
            let document = words.join(" ");
            all_words.extend(words);
            (product.simple().to_string(), document)
        })
        .collect();
    let write = tx.choose(
        "insert into product_words (product, words) select (v->>0)::uuid, v->>1 from json_array_elements($1::json) v
            on conflict (product) do update set words = excluded.words",
        "insert into product_words (product, words) select unhex(value->>0), value->>1 from json_each($1) where true
            on conflict (product) do update set words = excluded.words",
    );
    tx.query(write).bind(to_json(&documents)?).execute().await?;
    add_words(tx, &all_words).await?;
    let done = tx.choose(
        "update products set search_stale = 0
            where id = any (array(select json_array_elements_text($1::json)::uuid))",
        "update products set search_stale = 0 where id in (select unhex(value) from json_each($1))",
    );
    tx.query(done).bind(ids).execute().await?;
    Ok(rows.len() as i64)
}

/// Adds words that no product had, with their parts of three letters. In the order of the alphabet: two nodes wait for each other instead of
/// blocking each other.
async fn add_words(tx: &mut Transaction<'_>, words: &BTreeSet<String>) -> Result<()> {
    let write = tx.choose(
        "insert into search_words (word) select value from json_array_elements_text($1::json)
            on conflict do nothing returning word",
        "insert into search_words (word) select value from json_each($1) where true
            on conflict do nothing returning word",
    );
    let new: Vec<String> = tx.query(write).bind(to_json(words)?).fetch_values().await?;
    let new: BTreeSet<String> = new.into_iter().collect();
    let correctable = new.iter().filter(|word| !word.chars().any(char::is_numeric));
    let grams: Vec<(String, &String)> =
        correctable.flat_map(|word| grams(word).into_iter().map(move |gram| (gram, word))).collect();
    let write = tx.choose(
        "insert into search_grams (gram, word) select v->>0, v->>1 from json_array_elements($1::json) v
            on conflict do nothing",
        "insert into search_grams (gram, word) select value->>0, value->>1 from json_each($1) where true
            on conflict do nothing",
    );
    tx.query(write).bind(to_json(&grams)?).execute().await.map(drop)
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::CorruptRow(error.to_string()))
}
