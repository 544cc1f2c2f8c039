//! The JSON Schema of the configuration file, for editors. It comes from the same declarations
//! as the reader.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw::Raw;

/// The JSON Schema (2020-12) of the configuration file. It refuses unknown names; it does not
/// know the rules between sections, which `gateway check` does.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Raw>();
    schema.insert("title".to_owned(), Value::from("Sallyport configuration"));
    schema.to_value()
}

#[cfg(test)]
mod tests;
