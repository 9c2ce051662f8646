//! JSON with the numbers' own text, as random policies and calls are made of it.
//!
//! It never goes through a parser: what is written is what was meant.

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Members(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn write(&self) -> String {
        match self {
            Json::Null => "null".into(),
            Json::Bool(value) => value.to_string(),
            Json::Number(text) => text.clone(),
            Json::Text(text) => quoted(text),
            Json::List(items) => {
                let items: Vec<_> = items.iter().map(Json::write).collect();
                format!("[{}]", items.join(","))
            }
            Json::Members(members) => {
                let one =
                    |(key, value): &(String, Json)| format!("{}:{}", quoted(key), value.write());
                let members: Vec<_> = members.iter().map(one).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::List(_) => "array",
            Json::Members(_) => "object",
        }
    }
}

/// A text as JSON writes it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}
