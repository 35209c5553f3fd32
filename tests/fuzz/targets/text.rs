//! The small codecs: what one direction writes, the other reads.

use super::{Target, seed};
use tidegate::id::Id;
use tidegate::wire::{base64, json_text, percent};

/// Identifiers, base 64, percent encoding, JSON text.
pub const TEXT: Target = Target {
    name: "text",
    run: text,
    seeds: || {
        [
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "aGk=",
            "a%2Fb%zz",
            "\"\\u00e9\u{1f600}\n",
        ]
        .iter()
        .map(|text| seed(text))
        .collect()
    },
};

fn text(bytes: &[u8]) {
    assert_eq!(
        base64::decode(&base64::encode(bytes)).as_deref(),
        Some(bytes)
    );
    assert_eq!(
        base64::decode_url(&base64::encode_url(bytes)).as_deref(),
        Some(bytes)
    );
    let text = String::from_utf8_lossy(bytes);
    let _ = base64::decode(&text);
    let _ = base64::decode_url(&text);
    let _ = percent::decode(&text);
    assert_eq!(
        percent::decode(&percent::encode(&text)).as_deref(),
        Some(&*text)
    );
    if let Some(id) = Id::parse(&text) {
        assert_eq!(Id::parse(&id.to_string()), Some(id));
    }
    let mut json = Vec::new();
    json_text::string(&mut json, &text);
    let read: String = serde_json::from_slice(&json).expect("what was written is JSON");
    assert_eq!(read, text);
}
