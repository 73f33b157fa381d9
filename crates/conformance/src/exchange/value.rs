//! Values, as the shell has them: names have no case, a string is its UTF-16 units.

use std::cell::RefCell;
use std::rc::Rc;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Char(u16),
    Text(Vec<u16>),
    List(Vec<Self>),
    Table(Rc<RefCell<Object>>),
    Object(Object),
}

/// Properties by name. Names have no case.
#[derive(Clone, Debug, Default)]
pub(super) struct Object(pub(super) Vec<(String, Value)>);

impl Object {
    pub(super) fn of(properties: Vec<(&str, Value)>) -> Self {
        Self(properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(super) fn from_owned(properties: Vec<(String, Value)>) -> Self {
        Self(properties)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.encode_utf16().collect())
    }

    /// A text, or none where it is null; fails where it is something else.
    pub(super) fn text_or_null(&self, otherwise: impl FnOnce() -> Failed) -> Result<Option<String>, Failed> {
        match self {
            Self::Null => Ok(None),
            Self::Text(units) => Ok(Some(String::from_utf16_lossy(units))),
            _ => Err(otherwise()),
        }
    }

    /// As `[string]` makes it.
    pub(super) fn units(&self) -> Result<Vec<u16>, Failed> {
        Ok(match self {
            Self::Null => Vec::new(),
            Self::Bool(is) => if *is { "True" } else { "False" }.encode_utf16().collect(),
            Self::Int(number) => number.to_string().encode_utf16().collect(),
            Self::Char(unit) => vec![*unit],
            Self::Text(units) => units.clone(),
            other => return Err(odd(&format!("{other:?} as a string"))),
        })
    }

    pub(super) fn shown(&self) -> Result<String, Failed> {
        Ok(String::from_utf16_lossy(&self.units()?))
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(is) => *is,
            Self::Int(number) => *number != 0,
            Self::Text(units) => !units.is_empty(),
            Self::List(list) if list.len() < 2 => list.first().is_some_and(Self::is_true),
            _ => true,
        }
    }

    pub(super) fn json(&self) -> Result<serde_json::Value, Failed> {
        Ok(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(is) => serde_json::json!(is),
            Self::Int(number) => serde_json::json!(number),
            Self::Char(_) | Self::Text(_) => serde_json::json!(self.shown()?),
            Self::List(list) => list.iter().map(Self::json).collect::<Result<Vec<_>, _>>()?.into(),
            Self::Table(table) => {
                let table = table.borrow();
                let all: Result<serde_json::Map<_, _>, Failed> =
                    table.0.iter().map(|(name, value)| Ok((name.clone(), value.json()?))).collect();
                all?.into()
            }
            Self::Object(_) => return Err(odd("a whole object as JSON")),
        })
    }
}

/// Why a script does not go on.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// An error that a script may catch: its words and its id.
    Error(String, String),
    /// The process was killed.
    Killed,
    /// The shell does not know this: the test is wrong, or the script is.
    Odd(String),
    Return,
}

impl Failed {
    pub(super) fn new(what: &str, id: &str) -> Self {
        Self::Error(what.to_owned(), id.to_owned())
    }
}

pub(super) fn odd(what: &str) -> Failed {
    Failed::Odd(format!("this shell does not know {what}"))
}

/// What a cmdlet is called with.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) named: Vec<(String, Value)>,
    pub(super) placed: Vec<Value>,
}

impl Arguments {
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let place = self.named.iter().position(|(own, _)| own.eq_ignore_ascii_case(name))?;
        Some(self.named.remove(place).1)
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Failed> {
        let value = self.take(name).ok_or_else(|| Failed::new(&format!("-{name} is missing"), "MissingArgument"))?;
        match value {
            Value::Text(_) => value.shown(),
            _ => Err(Failed::new(&format!("-{name} is no text"), "ParameterBindingFailed")),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<usize, Failed> {
        match self.take(name) {
            Some(Value::Int(number)) => Ok(number as usize),
            _ => Err(odd(&format!("a call without -{name}"))),
        }
    }

    pub(super) fn nothing_left(&self, name: &str) -> Result<(), Failed> {
        match (self.named.first(), self.placed.first()) {
            (None, None) => Ok(()),
            (Some((own, _)), _) => Err(odd(&format!("-{own} of {name}"))),
            _ => Err(odd(&format!("an argument of {name}"))),
        }
    }
}

pub(super) fn add(left: &Value, right: Value) -> Result<Value, Failed> {
    Ok(match (left, right) {
        (Value::Text(units), right) => Value::Text([units.clone(), right.units()?].concat()),
        (Value::List(list), Value::List(more)) => Value::List([list.clone(), more].concat()),
        (Value::List(list), one) => Value::List([list.clone(), vec![one]].concat()),
        (left, right) => return Err(odd(&format!("{left:?} + {right:?}"))),
    })
}

pub(super) fn compare(operator: &str, left: &Value, right: &Value) -> Result<bool, Failed> {
    let is_same = |left: &Value, right: &Value| -> Result<bool, Failed> {
        Ok(match (left, right) {
            (Value::Null, right) => matches!(right, Value::Null),
            (left, Value::Null) => matches!(left, Value::Null),
            (Value::Text(_), right) => left.shown()?.to_lowercase() == right.shown()?.to_lowercase(),
            (Value::Bool(left), right) => *left == right.is_true(),
            (left, right) => left == right,
        })
    };
    Ok(match operator.to_lowercase().as_str() {
        "-eq" => is_same(left, right)?,
        "-ne" => !is_same(left, right)?,
        "-gt" => match (left, right) {
            (Value::Int(left), Value::Int(right)) => left > right,
            _ => return Err(odd("such a comparison")),
        },
        "-like" => {
            let (text, form) = (left.shown()?.to_lowercase(), right.shown()?.to_lowercase());
            match (form.strip_prefix('*'), form.strip_suffix('*')) {
                (Some(rest), Some(_)) => text.contains(rest.trim_end_matches('*')),
                (None, Some(start)) => text.starts_with(start),
                _ => return Err(odd("such a pattern")),
            }
        }
        "-notcontains" => {
            let Value::List(list) = left else { return Err(odd("a list that is none")) };
            for one in list {
                if is_same(one, right)? {
                    return Ok(false);
                }
            }
            true
        }
        other => return Err(odd(other)),
    })
}
