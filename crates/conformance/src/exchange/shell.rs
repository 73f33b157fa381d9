//! A shell for a small part of PowerShell, strict where it matters: names have no case, a variable or a property that is not there is an
//! error, a string is its UTF-16 units.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use tree_sitter::{Node, Parser};

use super::organisation::Organisation;
use super::value::{Arguments, Failed, Object, Value, add, compare, odd};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What it printed.
    pub printed: String,
    /// Why it stopped before its end.
    pub stopped: Option<String>,
}

fn parsed(text: &str) -> Result<tree_sitter::Tree, String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("the grammar and its parser fit");
    let tree = parser.parse(text, None).expect("a language is set");
    let mut nodes = vec![tree.root_node()];
    while let Some(node) = nodes.pop() {
        if node.is_error() || node.is_missing() {
            let shown = node.utf8_text(text.as_bytes()).unwrap_or_default();
            return Err(format!("line {}: {shown:?} is no PowerShell", node.start_position().row + 1));
        }
        nodes.extend(children(node));
    }
    Ok(tree)
}

/// Is this text a script, by an independent grammar? Why not.
pub fn parses(text: &str) -> Result<(), String> {
    parsed(text).map(drop)
}

/// Runs a script with these switches.
pub fn run(organisation: &mut Organisation, script: &Path, switches: &[&str]) -> Ran {
    let text = fs::read_to_string(script).expect("the script can be read");
    let tree = match parsed(&text) {
        Ok(tree) => tree,
        Err(why) => return Ran { printed: String::new(), stopped: Some(why) },
    };
    let mut shell = Shell {
        text: &text,
        organisation,
        scopes: vec![HashMap::new()],
        functions: HashMap::new(),
        printed: vec![Vec::new()],
    };
    shell.set("pscommandpath", Value::text(&script.display().to_string()));
    for (name, is) in [("true", true), ("false", false)] {
        shell.set(name, Value::Bool(is));
    }
    shell.set("null", Value::Null);
    for switch in ["Reverse", "ReadOnly"] {
        shell.set(switch, Value::Bool(switches.contains(&switch)));
    }
    let stopped = match shell.statements(tree.root_node()) {
        Ok(()) | Err(Failed::Return) => None,
        Err(Failed::Error(what, _)) => Some(what),
        Err(Failed::Killed) => Some("killed".to_owned()),
        Err(Failed::Odd(what)) => panic!("{what}"),
    };
    let mut printed = String::new();
    for value in shell.printed.remove(0) {
        let _ = write!(printed, "{}\r\n", value.shown().expect("a script prints text"));
    }
    Ran { printed, stopped }
}

struct Shell<'s> {
    text: &'s str,
    organisation: &'s mut Organisation,
    scopes: Vec<HashMap<String, Value>>,
    functions: HashMap<String, Node<'s>>,
    /// What is printed: by the script, and by each function that is called.
    printed: Vec<Vec<Value>>,
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

fn named(node: Node<'_>) -> Vec<Node<'_>> {
    children(node).into_iter().filter(|child| child.is_named() && child.kind() != "comment").collect()
}

/// A node that says nothing but what its one child says is that child. The plain text of a string is no child.
fn plain(mut node: Node<'_>) -> Node<'_> {
    while node.kind() != "expandable_string_literal" && node.child_count() == 1 && node.named_child_count() == 1 {
        node = named(node)[0];
    }
    node
}

fn of_kind<'n>(node: Node<'n>, kind: &str) -> Option<Node<'n>> {
    named(node).into_iter().find(|child| child.kind() == kind)
}

/// Everything below a node that is of this kind, not below one another.
fn all_of<'n>(node: Node<'n>, kind: &str) -> Vec<Node<'n>> {
    if node.kind() == kind {
        return vec![node];
    }
    named(node).into_iter().flat_map(|child| all_of(child, kind)).collect()
}

impl<'s> Shell<'s> {
    fn source(&self, node: Node<'_>) -> &'s str {
        &self.text[node.byte_range()]
    }

    fn set(&mut self, name: &str, value: Value) {
        let scope = self.scopes.last_mut().expect("there is a scope");
        scope.insert(name.trim_start_matches('$').to_lowercase(), value);
    }

    fn get(&self, name: &str) -> Result<Value, Failed> {
        let name = name.trim_start_matches('$').to_lowercase();
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(&name));
        found
            .cloned()
            .ok_or_else(|| Failed::new(&format!("the variable '${name}' has not been set"), "VariableIsUndefined"))
    }

    fn emit(&mut self, value: Value) {
        let printed = self.printed.last_mut().expect("something is printed to");
        match value {
            Value::List(list) => printed.extend(list),
            value => printed.push(value),
        }
    }

    /// What these statements print.
    fn collected(&mut self, node: Node<'s>) -> Result<Vec<Value>, Failed> {
        self.printed.push(Vec::new());
        let done = self.statements(node);
        let printed = self.printed.pop().expect("it was put there");
        done.map(|()| printed)
    }

    fn as_value(mut printed: Vec<Value>) -> Value {
        match printed.len() {
            0 => Value::Null,
            1 => printed.remove(0),
            _ => Value::List(printed),
        }
    }

    fn statements(&mut self, node: Node<'s>) -> Result<(), Failed> {
        match node.kind() {
            "program" | "statement_list" | "statement_block" | "script_block" | "script_block_body" => {
                named(node).into_iter().try_for_each(|child| self.statements(child))
            }
            "param_block" | "comment" | "empty_statement" => Ok(()),
            _ => self.statement(plain(node)),
        }
    }

    fn statement(&mut self, node: Node<'s>) -> Result<(), Failed> {
        match node.kind() {
            "program" | "statement_list" | "statement_block" | "script_block" | "script_block_body" | "param_block"
            | "comment" | "empty_statement" => self.statements(node),
            "assignment_expression" => self.assign(node),
            "function_statement" => {
                let name = of_kind(node, "function_name").expect("a function has a name");
                self.functions.insert(self.source(name).to_lowercase(), node);
                Ok(())
            }
            "if_statement" => {
                let parts = named(node);
                if self.value(parts[0])?.is_true() {
                    return self.statements(parts[1]);
                }
                for part in &parts[2..] {
                    if part.kind() == "else_clause" {
                        return self.statements(named(*part)[0]);
                    }
                    for clause in all_of(*part, "elseif_clause") {
                        let parts = named(clause);
                        if self.value(parts[0])?.is_true() {
                            return self.statements(parts[1]);
                        }
                    }
                }
                Ok(())
            }
            "foreach_statement" => {
                let parts = named(node);
                let name = self.source(parts[0]);
                let list = match self.value(parts[1])? {
                    Value::List(list) => list,
                    Value::Null => Vec::new(),
                    value => vec![value],
                };
                for value in list {
                    self.set(name, value);
                    self.statements(parts[2])?;
                }
                Ok(())
            }
            "try_statement" => {
                let parts = named(node);
                let printed = self.printed.len();
                let scopes = self.scopes.len();
                match self.statements(parts[0]) {
                    Err(Failed::Error(what, id)) => {
                        self.printed.truncate(printed);
                        self.scopes.truncate(scopes);
                        let exception = Object::of(vec![("Message", Value::text(&what))]);
                        let record = Object::of(vec![
                            ("Exception", Value::Object(exception)),
                            ("FullyQualifiedErrorId", Value::text(&id)),
                        ]);
                        self.set("_", Value::Object(record));
                        let clause = all_of(parts[1], "catch_clause")[0];
                        self.statements(of_kind(clause, "statement_block").expect("a clause has a block"))
                    }
                    done => done,
                }
            }
            "flow_control_statement" => {
                let what = self.source(node).split_whitespace().next().unwrap_or_default();
                let value = match named(node).first() {
                    Some(value) => Some(self.value(*value)?),
                    None => None,
                };
                match what {
                    "throw" => {
                        let what = value.unwrap_or(Value::Null).shown()?;
                        Err(Failed::new(&what, &what))
                    }
                    "return" => {
                        if let Some(value) = value {
                            self.emit(value);
                        }
                        Err(Failed::Return)
                    }
                    other => Err(odd(other)),
                }
            }
            "command" | "command_name" => {
                let said = self.command(node)?;
                for value in said {
                    self.emit(value);
                }
                Ok(())
            }
            "invokation_expression" => {
                if let Some(value) = self.invoked(node)? {
                    self.emit(value);
                }
                Ok(())
            }
            _ => {
                let value = self.value(node)?;
                self.emit(value);
                Ok(())
            }
        }
    }

    fn assign(&mut self, node: Node<'s>) -> Result<(), Failed> {
        let parts = named(node);
        let (left, operator) = (plain(parts[0]), self.source(parts[1]));
        let mut value = self.value(parts[2])?;
        match operator {
            "=" => {}
            "+=" => {
                let before = self.value(left)?;
                value = add(&before, value)?;
            }
            other => return Err(odd(other)),
        }
        match left.kind() {
            "variable" => self.set(self.source(left), value),
            "member_access" => {
                let parts = named(left);
                let name = self.source(parts[1]).to_owned();
                let Value::Table(table) = self.value(parts[0])? else { return Err(odd("a property that is set")) };
                table.borrow_mut().set(&name, value);
            }
            "element_access" => {
                let parts = named(left);
                let name = self.value(parts[1])?.shown()?;
                let Value::Table(table) = self.value(parts[0])? else { return Err(odd("an element that is set")) };
                table.borrow_mut().set(&name, value);
            }
            other => return Err(odd(other)),
        }
        Ok(())
    }

    fn value(&mut self, node: Node<'s>) -> Result<Value, Failed> {
        let node = plain(node);
        let parts = named(node);
        match node.kind() {
            "variable" => self.get(self.source(node)),
            "decimal_integer_literal" => self.source(node).parse().map(Value::Int).map_err(|_| odd("such a number")),
            "hexadecimal_integer_literal" => {
                i64::from_str_radix(&self.source(node)[2..], 16).map(Value::Int).map_err(|_| odd("such a number"))
            }
            "verbatim_string_characters" => {
                let text = self.source(node);
                Ok(Value::text(&text[1..text.len() - 1].replace("''", "'")))
            }
            "generic_token" | "real_literal" => Ok(Value::text(self.source(node))),
            "expandable_string_literal" => self.expanded(node),
            "parenthesized_expression" => Ok(Self::as_value(self.collected(parts[0])?)),
            "array_expression" => match parts.first() {
                None => Ok(Value::List(Vec::new())),
                Some(inner) => Ok(Value::List(self.collected(*inner)?)),
            },
            "array_literal_expression" => {
                parts.into_iter().map(|part| self.value(part)).collect::<Result<_, _>>().map(Value::List)
            }
            "hash_literal_expression" => {
                let mut table = Object::default();
                for entry in all_of(node, "hash_entry") {
                    let parts = named(entry);
                    let value = self.value(parts[1])?;
                    table.set(self.source(parts[0]), value);
                }
                Ok(Value::Table(Rc::new(RefCell::new(table))))
            }
            "cast_expression" => {
                let value = self.value(parts[1])?;
                self.cast(parts[0], value)
            }
            "expression_with_unary_operator" => {
                let operator = self.source(node).split_whitespace().next().unwrap_or_default();
                let value = self.value(parts[0])?;
                if operator == "-not" { Ok(Value::Bool(!value.is_true())) } else { Err(odd(operator)) }
            }
            "additive_expression" => {
                let mut sum = self.value(parts[0])?;
                for part in &parts[1..] {
                    let value = self.value(*part)?;
                    sum = add(&sum, value)?;
                }
                let others: Vec<&str> = children(node)
                    .into_iter()
                    .filter(|child| !child.is_named())
                    .map(|child| self.source(child))
                    .collect();
                if others.iter().all(|operator| *operator == "+") { Ok(sum) } else { Err(odd("a difference")) }
            }
            "logical_expression" => {
                let operators: Vec<&str> = children(node)
                    .into_iter()
                    .filter(|child| !child.is_named())
                    .map(|child| self.source(child))
                    .collect();
                let first = self.value(parts[0])?.is_true();
                match operators.as_slice() {
                    ["-and"] => Ok(Value::Bool(first && self.value(parts[1])?.is_true())),
                    ["-or"] => Ok(Value::Bool(first || self.value(parts[1])?.is_true())),
                    _ => Err(odd("such a condition")),
                }
            }
            "comparison_expression" => {
                let (left, right) = (self.value(parts[0])?, self.value(parts[2])?);
                compare(self.source(parts[1]), &left, &right).map(Value::Bool)
            }
            "format_expression" => {
                let (form, value) = (self.value(parts[0])?.shown()?, self.value(parts[2])?);
                match (form.as_str(), value) {
                    ("\\u{0:x4}", Value::Int(number)) => Ok(Value::text(&format!("\\u{number:04x}"))),
                    _ => Err(odd("such a format")),
                }
            }
            "member_access" => self.member(node),
            "element_access" => {
                let (all, index) = (self.value(parts[0])?, self.value(parts[1])?);
                match (all, index) {
                    (Value::List(list), Value::Int(number)) => {
                        let found = usize::try_from(number).ok().and_then(|number| list.get(number).cloned());
                        found
                            .ok_or_else(|| Failed::new("Index was outside the bounds of the array.", "IndexOutOfRange"))
                    }
                    (Value::Table(table), name) => {
                        let name = name.shown()?;
                        Ok(table.borrow().get(&name).cloned().unwrap_or(Value::Null))
                    }
                    _ => Err(odd("such an element")),
                }
            }
            "invokation_expression" => self.invoked(node).map(|value| value.unwrap_or(Value::Null)),
            "command" | "command_name" | "pipeline" | "statement_list" => Ok(Self::as_value(self.collected(node)?)),
            other => Err(odd(&format!("{other}: {}", self.source(node)))),
        }
    }

    /// A string in double quotes: variables and `$( )` in it are filled in.
    fn expanded(&mut self, node: Node<'s>) -> Result<Value, Failed> {
        let whole = self.source(node);
        let (start, mut at) = (node.start_byte(), 1);
        let mut units: Vec<u16> = Vec::new();
        for part in named(node) {
            let (from, to) = (part.start_byte() - start, part.end_byte() - start);
            units.extend(whole[at..from].encode_utf16());
            let value = if part.kind() == "sub_expression" {
                Self::as_value(self.collected(named(part)[0])?)
            } else {
                self.value(part)?
            };
            units.extend(value.units()?);
            at = to;
        }
        units.extend(whole[at..whole.len() - 1].encode_utf16());
        Ok(Value::Text(units))
    }

    fn cast(&self, kind: Node<'_>, value: Value) -> Result<Value, Failed> {
        match (self.source(kind).to_lowercase().as_str(), value) {
            ("[string]", value) => value.units().map(Value::Text),
            ("[bool]", value) => Ok(Value::Bool(value.is_true())),
            ("[char]", Value::Int(number)) => {
                u16::try_from(number).map(Value::Char).map_err(|_| odd("such a character"))
            }
            ("[int]", Value::Char(unit)) => Ok(Value::Int(i64::from(unit))),
            (kind, value) => Err(odd(&format!("{kind} of {value:?}"))),
        }
    }

    fn member(&mut self, node: Node<'s>) -> Result<Value, Failed> {
        let parts = named(node);
        let name = self.source(parts[1]);
        let owner = plain(parts[0]);
        if owner.kind() == "type_literal" {
            return match (self.source(owner).to_lowercase().as_str(), name) {
                ("[datetime]", "UtcNow") => Ok(Value::Object(Object::of(vec![("moment", self.now())]))),
                _ => Err(odd(self.source(node))),
            };
        }
        let missing =
            || Failed::new(&format!("The property '{name}' cannot be found on this object."), "PropertyNotFoundStrict");
        match self.value(owner)? {
            Value::Table(table) if name.eq_ignore_ascii_case("count") => Ok(Value::Int(table.borrow().0.len() as i64)),
            Value::Table(table) => table.borrow().get(name).cloned().ok_or_else(missing),
            Value::Object(object) => object.get(name).cloned().ok_or_else(missing),
            Value::List(list) if name.eq_ignore_ascii_case("count") => Ok(Value::Int(list.len() as i64)),
            other => Err(odd(&format!("{name} of {other:?}"))),
        }
    }

    /// The time by this machine's clock: seconds, sortable.
    fn now(&self) -> Value {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let seconds = (since.as_millis() as i64 + self.organisation.clock_ms) / 1000;
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // The civil date of a day (Howard Hinnant, days_from_civil, backwards).
        let z = days + 719_468;
        let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
        let year = yoe + era * 400 + i64::from(month <= 2);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        Value::text(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60))
    }

    /// Calls a method. None: it says nothing.
    fn invoked(&mut self, node: Node<'s>) -> Result<Option<Value>, Failed> {
        let parts = named(node);
        let (owner, name) = (plain(parts[0]), self.source(parts[1]));
        let list = plain(*parts.last().expect("a method has arguments"));
        let mut arguments = Vec::new();
        if list.kind() != "argument_list" || named(list).len() == 1 {
            let inner = if list.kind() == "argument_list" { named(list)[0] } else { list };
            let inner = plain(inner);
            let each = if inner.kind() == "argument_expression_list" { named(inner) } else { vec![inner] };
            for argument in each {
                arguments.push(self.value(argument)?);
            }
        }
        if owner.kind() == "type_literal" {
            return match (self.source(owner).to_lowercase().as_str(), name, arguments.as_slice()) {
                ("[string]", "Equals", [a, b]) => Ok(Some(Value::Bool(a.units()? == b.units()?))),
                ("[string]", "CompareOrdinal", [a, b]) => Ok(Some(Value::Int(a.units()?.cmp(&b.units()?) as i64))),
                ("[string]", "IsNullOrEmpty", [a]) => Ok(Some(Value::Bool(a.units()?.is_empty()))),
                _ => Err(odd(self.source(node))),
            };
        }
        let value = self.value(owner)?;
        Ok(Some(match (&value, name, arguments.as_slice()) {
            (Value::Text(units), "ToCharArray", []) => {
                Value::List(units.iter().map(|unit| Value::Char(*unit)).collect())
            }
            (Value::Text(_), "ToLowerInvariant", []) => Value::text(&value.shown()?.to_lowercase()),
            (Value::Text(units), "Substring", [Value::Int(from)]) => Value::Text(units[*from as usize..].to_vec()),
            (Value::Object(moment), "ToString", [form]) if form.shown()? == "s" => {
                moment.get("moment").cloned().ok_or_else(|| odd("such a moment"))?
            }
            (Value::Table(table), "Remove", [name]) => {
                let name = name.shown()?;
                table.borrow_mut().0.retain(|(own, _)| !own.eq_ignore_ascii_case(&name));
                return Ok(None);
            }
            _ => return Err(odd(self.source(node))),
        }))
    }

    fn command(&mut self, node: Node<'s>) -> Result<Vec<Value>, Failed> {
        let name = if node.kind() == "command_name" {
            node
        } else {
            of_kind(node, "command_name").ok_or_else(|| odd("such a call"))?
        };
        let name = self.source(name).to_lowercase();
        let mut arguments = Arguments::default();
        let mut parameter: Option<String> = None;
        let elements: Vec<Node<'s>> =
            named(node).into_iter().filter(|part| part.kind() == "command_elements").flat_map(named).collect();
        for element in elements {
            let element = plain(element);
            match element.kind() {
                "command_argument_sep" => {}
                "command_parameter" => {
                    if let Some(switch) = parameter.replace(self.source(element)[1..].to_owned()) {
                        arguments.named.push((switch, Value::Bool(true)));
                    }
                }
                _ if self.source(element).trim().is_empty() => {}
                _ => {
                    let value = self.value(element)?;
                    match parameter.take() {
                        Some(name) => arguments.named.push((name, value)),
                        None => arguments.placed.push(value),
                    }
                }
            }
        }
        arguments.named.extend(parameter.map(|switch| (switch, Value::Bool(true))));
        if let Some(function) = self.functions.get(&name).copied() {
            return self.function(function, arguments);
        }
        if let Some(said) = self.organisation.call(&name, &mut arguments) {
            return said;
        }
        let said = Self::cmdlet(&name, &mut arguments)?;
        arguments.nothing_left(&name)?;
        Ok(said)
    }

    fn function(&mut self, function: Node<'s>, mut arguments: Arguments) -> Result<Vec<Value>, Failed> {
        let mut scope = HashMap::new();
        let parameters = of_kind(function, "function_parameter_declaration");
        let mut placed = std::mem::take(&mut arguments.placed).into_iter();
        for parameter in parameters.map(|all| all_of(all, "script_parameter")).unwrap_or_default() {
            let name = self.source(*all_of(parameter, "variable").first().expect("a parameter has a name"));
            let kind = all_of(parameter, "type_literal").first().map(|kind| self.source(*kind).to_lowercase());
            let value = placed.next().ok_or_else(|| odd("a function without its arguments"))?;
            let value = match (kind.as_deref(), value) {
                (None, value) => value,
                (Some("[string]"), value) => Value::Text(value.units()?),
                (Some("[hashtable]"), value @ Value::Table(_)) => value,
                (Some(kind), value) => return Err(odd(&format!("{value:?} as {kind}"))),
            };
            scope.insert(name.trim_start_matches('$').to_lowercase(), value);
        }
        if placed.next().is_some() || !arguments.named.is_empty() {
            return Err(odd("such arguments of a function"));
        }
        self.scopes.push(scope);
        self.printed.push(Vec::new());
        let body: Vec<Node<'s>> = named(function)
            .into_iter()
            .filter(|part| !["function_name", "function_parameter_declaration"].contains(&part.kind()))
            .collect();
        let done = body.into_iter().try_for_each(|part| self.statements(part));
        match done {
            Ok(()) | Err(Failed::Return) => {
                self.scopes.pop();
                Ok(self.printed.pop().expect("it was put there"))
            }
            Err(failed) => {
                // What was printed before is lost with what called it, but for what the script itself prints.
                self.scopes.pop();
                self.printed.pop();
                Err(failed)
            }
        }
    }

    /// Cmdlets of PowerShell itself.
    fn cmdlet(name: &str, arguments: &mut Arguments) -> Result<Vec<Value>, Failed> {
        Ok(match name {
            "set-strictmode" => {
                arguments.take("Version");
                Vec::new()
            }
            "write-output" => std::mem::take(&mut arguments.placed),
            "convertto-json" => {
                let value = arguments.take("InputObject").ok_or_else(|| odd("ConvertTo-Json of nothing"))?;
                arguments.take("Compress");
                arguments.number("Depth")?;
                // As PowerShell writes it: nothing but quotes, backslashes and controls is escaped.
                vec![Value::text(&value.json()?.to_string())]
            }
            "test-path" => vec![Value::Bool(Path::new(&arguments.text("LiteralPath")?).exists())],
            "set-content" => {
                let (path, text) = (arguments.text("LiteralPath")?, arguments.text("Value")?);
                fs::write(&path, text).map_err(|error| Failed::new(&error.to_string(), "SetContentError"))?;
                Vec::new()
            }
            "get-filehash" => {
                let path = arguments.text("LiteralPath")?;
                if arguments.text("Algorithm")? != "SHA256" {
                    return Err(odd("another algorithm"));
                }
                let bytes = fs::read(path).map_err(|error| Failed::new(&error.to_string(), "FileReadError"))?;
                let digest: String = model::Digest::of(&bytes).to_string().to_uppercase();
                vec![Value::Object(Object::of(vec![("Hash", Value::text(&digest))]))]
            }
            other => {
                let what = format!("The term '{other}' is not recognized as a name of a cmdlet.");
                return Err(Failed::new(&what, "CommandNotFoundException"));
            }
        })
    }
}
