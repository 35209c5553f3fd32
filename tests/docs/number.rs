//! Numbers as they are written in documents.

/// As JSON: whole numbers without a point.
pub fn json(value: f64) -> String {
    format!("{value}")
}

/// For people: digits in groups of three.
pub fn shown(value: f64) -> String {
    if value.fract() == 0.0 {
        grouped(value as u64)
    } else {
        json(value)
    }
}

/// `604800000` as `604,800,000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `604,800,000 ms (7 d)`: the number, its unit, and a larger one where that is a whole number.
pub fn with_unit(value: u64, unit: &str) -> String {
    let larger: &[(u64, &str)] = match unit {
        "bytes" => &[(1 << 20, "MiB"), (1 << 10, "KiB")],
        "ms" => &[
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "min"),
            (1_000, "s"),
        ],
        _ => &[],
    };
    let space = if unit.is_empty() { "" } else { " " };
    let plain = format!("{}{space}{unit}", grouped(value));
    match larger
        .iter()
        .find(|(size, _)| value >= *size && value.is_multiple_of(*size))
    {
        Some((size, name)) => format!("{plain} ({} {name})", value / size),
        None => plain,
    }
}
