//! Prints what the attack filter finds in corpora: detection for each category of attack, false positives for each kind of
//! harmless text. Files: `.txt` as in `corpus/` (a heading `## category` before its texts, `### json "..."` for a text with
//! line ends), or `.jsonl` with `payload`, `label` (`attack` or else) and `category`.
//!
//! `--show CATEGORY` prints the texts that are told wrongly instead; `--verdicts` every text as a line of JSON, with the rule.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use validate::{Contract, Filter, FilterSettings, Limits, Mode, RequestView};

mod generated;

/// One text of a corpus.
struct Sample {
    category: String,
    attack: bool,
    text: String,
}

/// How a text is sent.
enum Sent {
    /// As a JSON string.
    Value,
    /// As a query.
    Query,
    /// As a JSON body.
    Body,
}

struct Gate {
    filter: Filter,
    contract: Arc<Contract>,
}

impl Gate {
    fn new() -> Self {
        let contract = Arc::new(Contract::prefix(Limits::default()));
        Self { filter: Filter::new(FilterSettings::default()), contract }
    }

    /// The rule that refuses a text, or what of the contract does.
    fn refused(&self, sample: &Sample) -> Option<String> {
        let sent = match sample.category.as_str() {
            "structure-query" => Sent::Query,
            "structure-body" => Sent::Body,
            _ => Sent::Value,
        };
        let (query, body) = match sent {
            Sent::Query => (Some(sample.text.as_str()), String::from("{}")),
            Sent::Body => (None, sample.text.clone()),
            Sent::Value => (None, serde_json::json!({ "text": sample.text }).to_string()),
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let view = RequestView { path_parameters: &[], query, headers: &headers, has_body: true };
        let opened = match self.contract.open(&view, Mode::Enforce) {
            Ok(opened) => opened,
            Err(violations) => {
                return violations.first().map(|violation| format!("contract:{}", violation.rule));
            }
        };
        match opened.finish(Bytes::from(body)) {
            Ok(payload) => {
                self.filter.inspect("report", payload).err().map(|attack| attack.rule.to_owned())
            }
            Err(violations) => {
                violations.first().map(|violation| format!("contract:{}", violation.rule))
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut files, mut show, mut verdicts) = (Vec::new(), None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--show" => show = arguments.next(),
            "--verdicts" => verdicts = true,
            _ => files.push(argument),
        }
    }
    let mut samples = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file)?;
        match file.ends_with(".jsonl") {
            true => read_lines(&text, &mut samples)?,
            false => read_sections(&text, !file.contains("benign"), &mut samples)?,
        }
    }
    if files.iter().any(|file| file.contains("benign")) {
        let made = generated::texts();
        let sample = |(category, text): (&str, String)| Sample {
            category: category.to_owned(),
            attack: false,
            text,
        };
        samples.extend(made.into_iter().map(sample));
    }
    if verdicts { each_verdict(&samples) } else { report(&samples, show.as_deref()) }
}

/// Every text with what the filter says, for whoever compares it with another.
fn each_verdict(samples: &[Sample]) -> Result<(), Box<dyn Error>> {
    let gate = Gate::new();
    let mut out = std::io::stdout().lock();
    for sample in samples {
        let line = serde_json::json!({
            "category": sample.category,
            "attack": sample.attack,
            "payload": sample.text,
            "rule": gate.refused(sample),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn read_lines(text: &str, samples: &mut Vec<Sample>) -> Result<(), Box<dyn Error>> {
    for line in text.lines() {
        let row: Value = serde_json::from_str(line)?;
        let field =
            |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let sample = Sample {
            category: field("category"),
            attack: field("label") == "attack",
            text: field("payload"),
        };
        if !sample.text.is_empty() {
            samples.push(sample);
        }
    }
    Ok(())
}

fn read_sections(
    text: &str,
    attack: bool,
    samples: &mut Vec<Sample>,
) -> Result<(), Box<dyn Error>> {
    let mut category = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("## ") {
            category = name.to_owned();
            continue;
        }
        let text = match line.strip_prefix("### json ") {
            Some(literal) => serde_json::from_str(literal)?,
            None => line.to_owned(),
        };
        samples.push(Sample { category: category.clone(), attack, text });
    }
    Ok(())
}

fn report(samples: &[Sample], show: Option<&str>) -> Result<(), Box<dyn Error>> {
    let gate = Gate::new();
    let mut counts: BTreeMap<(bool, &str), (usize, usize)> = BTreeMap::new();
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = std::io::stdout().lock();
    for sample in samples {
        let refused = gate.refused(sample);
        if show.is_some_and(|show| sample.category.contains(show))
            && sample.attack != refused.is_some()
        {
            let start: String = sample.text.chars().take(240).collect();
            writeln!(out, "{:18} {start:?}", refused.as_deref().unwrap_or("passes"))?;
        }
        let count = counts.entry((!sample.attack, &sample.category)).or_default();
        count.0 += 1;
        if let Some(rule) = refused {
            count.1 += 1;
            *rules.entry(rule).or_default() += usize::from(!sample.attack);
        }
    }
    if show.is_some() {
        return Ok(());
    }
    for (harmless, title) in [(false, "attacks refused"), (true, "harmless texts refused")] {
        writeln!(out, "{title}")?;
        let (mut all, mut hit) = (0, 0);
        for ((_, category), (count, refused)) in
            counts.iter().filter(|((own, _), _)| *own == harmless)
        {
            writeln!(
                out,
                "  {category:24} {refused:6} of {count:6}  {:6.2} %",
                share(*refused, *count)
            )?;
            (all, hit) = (all + count, hit + refused);
        }
        if all > 0 {
            writeln!(out, "  {:24} {hit:6} of {all:6}  {:6.2} %", "together", share(hit, all))?;
        }
    }
    for (rule, count) in rules.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "  by rule {rule:20} {count:6}")?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a corpus")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
