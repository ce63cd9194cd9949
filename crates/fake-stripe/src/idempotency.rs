//! Idempotency keys: the first answer of a request is kept and repeated, failures included.

use std::collections::HashMap;

use serde_json::Value;

/// How long a key is known, in seconds.
pub const KEPT_S: i64 = 24 * 3_600;

/// An answer as it was sent first.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

struct Entry {
    request: String,
    at: i64,
    /// `None`: the first request still runs.
    answer: Option<Answer>,
}

#[derive(Default)]
pub struct Keys(HashMap<String, Entry>);

/// What a key says about a request.
pub enum Found {
    /// The request runs now, and must be [finished](Keys::finish).
    New,
    Replayed(Answer),
    /// The key belongs to another request.
    Other,
    Running,
}

impl Keys {
    pub fn begin(&mut self, key: &str, request: &str, now: i64) -> Found {
        self.0.retain(|_, entry| entry.at + KEPT_S > now);
        match self.0.get(key) {
            Some(entry) if entry.request != request => Found::Other,
            Some(Entry { answer: Some(answer), .. }) => Found::Replayed(answer.clone()),
            Some(_) => Found::Running,
            None => {
                self.0.insert(key.to_owned(), Entry { request: request.to_owned(), at: now, answer: None });
                Found::New
            }
        }
    }

    /// `None`: the answer is not kept, and the key is free again.
    pub fn finish(&mut self, key: &str, answer: Option<Answer>) {
        match (answer, self.0.get_mut(key)) {
            (Some(answer), Some(entry)) => entry.answer = Some(answer),
            (None, _) => {
                self.0.remove(key);
            }
            (Some(_), None) => {}
        }
    }
}
