//! Names of directories: a folder's own name, with what some file system does not hold as `%` and two hexadecimal digits a
//! byte (UTF-8), as in addresses of the web.
//!
//! So written are `%` itself, `/ \ : * ? " < > |`, control characters, a dot or space at the beginning, a dot or space at the
//! end, and the first letter of a name that Windows keeps for a device (`CON`, `NUL`, `COM1` and so on, also before a dot).

use std::fmt::Write;

/// Longest name of a directory on every file system in use.
const NAME_BYTES_MAX: usize = 255;
/// Names that Windows keeps for itself, those with a number besides.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// The directory of a name. An error says why there is none.
pub(crate) fn encode(name: &str) -> Result<String, &'static str> {
    if name.is_empty() {
        return Err("a name is empty");
    }
    let last = name.chars().count() - 1;
    let mut directory = String::new();
    for (place, c) in name.chars().enumerate() {
        let at_edge = matches!(c, '.' | ' ') && (place == 0 || place == last);
        if at_edge || c.is_control() || "%/\\:*?\"<>|".contains(c) || (place == 0 && is_device(name)) {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(directory, "%{byte:02X}");
            }
        } else {
            directory.push(c);
        }
    }
    if directory.len() > NAME_BYTES_MAX {
        return Err("it is longer than a file system takes");
    }
    Ok(directory)
}

fn is_device(name: &str) -> bool {
    let name = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered =
        |device: &&str| name.strip_prefix(*device).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']));
    DEVICES.contains(&name.as_str()) || NUMBERED_DEVICES.iter().any(numbered)
}

/// The name of a directory. What is not written so is taken as it stands.
pub(crate) fn decode(directory: &str) -> String {
    let bytes = directory.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| directory.get(at + 1..at + 3)).flatten();
        let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| directory.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_file_system_may_not_hold_is_written_otherwise() {
        for (name, directory) in [
            ("Sent", "Sent"),
            ("a/b", "a%2Fb"),
            ("100%", "100%25"),
            ("..", "%2E%2E"),
            (" x.", "%20x%2E"),
            ("CON", "%43ON"),
            ("com1.x", "%63om1.x"),
            ("Größe", "Größe"),
            ("tab\there", "tab%09here"),
        ] {
            assert_eq!(encode(name).as_deref(), Ok(directory));
            assert_eq!(decode(directory), name);
        }
        assert!(encode("").is_err() && encode(&"x".repeat(256)).is_err() && encode("console").unwrap() == "console");
        assert_eq!(
            (decode("50% off").as_str(), decode("%FF").as_str(), decode("%4").as_str()),
            ("50% off", "%FF", "%4")
        );
    }

    proptest! {
        #[test]
        fn every_name_reads_back(name in "\\PC{1,20}|[%/. a-z\\x00-\\x1f]{1,8}") {
            prop_assert_eq!(decode(&encode(&name).unwrap()), name);
        }
    }
}
