//! The tour: every case is sent by a real client, its audit event is read back, and both are held
//! against what is expected. It knows addresses and tokens, nothing of the gateway's insides.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use http::Method;
use thiserror::Error;

use super::client::{Answer, Ask, ClientError, Clients};
use super::events::{EventError, Events};

mod cases;
mod table;
mod tokens;

pub(super) use tokens::{TokenError, Tokens};

use cases::Case;

use table::Row;

/// Requests of the flood, all at once; more than the burst that one address may spend.
const FLOOD_REQUESTS: usize = 40;

/// Why the tour could not be finished. A refused or failed case is no reason: it is a row.
#[derive(Debug, Error)]
pub(super) enum TourError {
    /// No client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No tokens.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The events could not be read.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The table could not be written, or the event files could not be read.
    #[error("write the table of the tour: {0}")]
    Write(#[from] io::Error),
}

/// Everything the tour needs.
pub(super) struct Tour {
    /// Clients of the gateway.
    pub(super) clients: Clients,
    /// Tokens to send, good and bad.
    pub(super) tokens: Tokens,
    /// The directory of the audit file sink.
    pub(super) events: PathBuf,
}

impl Tour {
    /// Sends every case, prints the table, tells whether all went as expected.
    pub(super) async fn run(self, out: &mut impl io::Write) -> Result<bool, TourError> {
        let events = Events::new(self.events.clone());
        let mut rows = Vec::new();
        let mut transactions = Vec::new();
        for case in cases::all() {
            let sent = self.clients.send(case.protocol, &case.ask(&self.tokens)).await;
            transactions.extend(sent.iter().filter_map(|answer| answer.transaction.clone()));
            rows.push(self.row(&case, sent, &events).await);
        }
        rows.push(self.flood(&events, &mut transactions).await);
        rows.push(once_each(&events, &transactions).await?);
        rows.push(self.no_secrets(&events).await?);
        table::print(&rows, out)?;
        Ok(rows.iter().all(|row| row.good))
    }

    async fn row(&self, case: &Case, sent: Result<Answer, ClientError>, events: &Events) -> Row {
        let expected = format!("{} {}", case.status, case.decision);
        let mut row = Row::new(case.name, case.request(), expected);
        let answer = match sent {
            Ok(answer) => answer,
            Err(fault) => return row.got(told(&fault)),
        };
        row = row.got(answer.status.as_u16().to_string());
        let Some(transaction) = answer.transaction else {
            return row.recorded("the answer names no transaction".to_owned());
        };
        match events.of(&transaction).await {
            Ok(event) => {
                row.good = answer.status.as_u16() == case.status
                    && event.status == Some(case.status)
                    && event.decision.starts_with(case.decision);
                row.recorded(event.decision)
            }
            Err(fault) => row.recorded(told(&fault)),
        }
    }

    /// Many requests at once: some get through, at least one is limited, and its event says so.
    async fn flood(&self, events: &Events, transactions: &mut Vec<String>) -> Row {
        let case = cases::flood();
        let ask = case.ask(&self.tokens);
        let sent: Vec<_> =
            (0..FLOOD_REQUESTS).map(|_| self.clients.send(case.protocol, &ask)).collect();
        let (mut passed, mut other, mut limited) = (0, 0, Vec::new());
        for answer in futures_util::future::join_all(sent).await {
            match answer {
                Ok(answer) => {
                    transactions.extend(answer.transaction.clone());
                    match answer.status.as_u16() {
                        200 => passed += 1,
                        429 => limited.push(answer),
                        _ => other += 1,
                    }
                }
                Err(_) => other += 1,
            }
        }
        let request = format!("{FLOOD_REQUESTS} x {}", case.request());
        let expected = format!("{} {}", case.status, case.decision);
        let row = Row::new(case.name, request, expected);
        let Some(last) = limited.pop() else {
            return row.got(format!("{passed} x 200, {other} others"));
        };
        let limited = limited.len() + 1;
        let mut row = self.row(&case, Ok(last), events).await;
        row.good = row.good && other == 0;
        row.request = format!("{FLOOD_REQUESTS} x {}", row.request);
        row.got(format!("{limited} x 429, {passed} x 200"))
    }

    /// No token that was sent, good or bad, and no client secret is anywhere in the stream.
    async fn no_secrets(&self, events: &Events) -> Result<Row, TourError> {
        let text = events.text().await?;
        let found = self.tokens.secrets().filter(|secret| text.contains(secret)).count();
        let request = format!("{} events", text.lines().count());
        let mut row = Row::new("no credential on record", request, "0 found".to_owned());
        row.good = found == 0 && !text.is_empty();
        Ok(row.got(format!("{found} found")))
    }
}

/// A fault with all its causes.
fn told(fault: &dyn Error) -> String {
    let mut text = format!("failed to {fault}");
    let mut cause = fault.source();
    while let Some(fault) = cause {
        text.push_str(&format!(": {fault}"));
        cause = fault.source();
    }
    text
}

/// Each transaction has exactly one event.
async fn once_each(events: &Events, transactions: &[String]) -> Result<Row, TourError> {
    let (mut wrong, mut waits) = (0, true);
    for transaction in transactions {
        // Events arrive in order: where one is missing, waiting for each later one is in vain.
        waits = waits && events.of(transaction).await.is_ok();
        wrong += usize::from(events.count(transaction).await? != 1);
    }
    let request = format!("{} transactions", transactions.len());
    let mut row = Row::new("one event each", request, "0 others".to_owned());
    row.good = wrong == 0;
    Ok(row.got(format!("{wrong} others")))
}

impl Case {
    /// The request of this case.
    fn ask(&self, tokens: &Tokens) -> Ask {
        let mut fields = Vec::new();
        if let Some(value) = tokens.bearer(self.credential) {
            fields.push((http::header::AUTHORIZATION, value));
        }
        if let Some(media_type) = self.media_type {
            let value = http::HeaderValue::from_static(media_type);
            fields.push((http::header::CONTENT_TYPE, value));
        }
        Ask {
            method: self.method.clone(),
            target: self.target.to_owned(),
            fields,
            body: self.body.bytes(),
        }
    }

    /// The request as the table shows it.
    fn request(&self) -> String {
        let method: &Method = &self.method;
        format!("{} {method} {}", self.protocol.name(), self.target)
    }
}

#[cfg(test)]
mod tests;
