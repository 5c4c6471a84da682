//! The lines of `strace`, put together into calls and taken apart into arguments.

use super::failed;
use cacheness_core::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A system call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) thread: u32,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// What is behind the equals sign.
    result: String,
}

/// What happens in a trace.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A call begins, and something else happens before it ends. Its last arguments may be missing.
    Begins(Call),
    /// A call ends; it begins here, too, unless it began before.
    Ends(Call),
}

/// The events of a trace, in their order.
pub(super) fn events(trace: &str) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut unfinished: HashMap<u32, String> = HashMap::new();
    for line in trace.lines() {
        let not_understood = || {
            Error::new(ErrorKind::Internal, format!("strace wrote a line that is not understood: {}", shortened(line)))
        };
        let (thread, rest) = line.split_once(' ').ok_or_else(not_understood)?;
        let thread = thread.parse().map_err(|_| not_understood())?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            let begun = begun.trim_end().to_owned();
            events.push(Event::Begins(Call::parse(thread, &begun, "").ok_or_else(not_understood)?));
            unfinished.insert(thread, begun);
            continue;
        }
        let whole = match rest.strip_prefix("<... ") {
            None => rest.to_owned(),
            Some(resumed) => {
                let (_, end) = resumed.split_once(" resumed>").ok_or_else(not_understood)?;
                unfinished.remove(&thread).ok_or_else(not_understood)? + end
            }
        };
        let (call, result) = whole.rsplit_once(") = ").ok_or_else(not_understood)?;
        events.push(Event::Ends(Call::parse(thread, call, result).ok_or_else(not_understood)?));
    }
    Ok(events)
}

/// As much of a line as a message can hold.
fn shortened(line: &str) -> String {
    line.chars().take(200).collect()
}

impl Call {
    fn parse(thread: u32, call: &str, result: &str) -> Option<Self> {
        let (name, arguments) = call.split_once('(')?;
        Some(Self { thread, name: name.to_owned(), arguments: split(arguments), result: result.to_owned() })
    }

    /// What it returned; `None` when it failed.
    pub(super) fn returned(&self) -> Option<u64> {
        number(&self.result)
    }

    /// The path of the descriptor that it returned.
    pub(super) fn returned_path(&self) -> Option<PathBuf> {
        annotation(&self.result)
    }

    /// Whether `strace` let it fail.
    pub(super) fn is_injected(&self) -> bool {
        self.result.ends_with("(INJECTED)")
    }

    pub(super) fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    pub(super) fn number(&self, index: usize) -> Result<u64> {
        number(self.argument(index)).ok_or_else(|| self.not_understood())
    }

    /// The descriptor in an argument.
    pub(super) fn descriptor(&self, index: usize) -> Result<i32> {
        let number = number(self.argument(index)).and_then(|number| i32::try_from(number).ok());
        number.ok_or_else(|| self.not_understood())
    }

    /// The path of the descriptor in an argument.
    pub(super) fn descriptor_path(&self, index: usize) -> Option<PathBuf> {
        annotation(self.argument(index))
    }

    /// All bytes in the strings of an argument.
    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>> {
        let argument = self.argument(index);
        if argument.contains("\"...") {
            return Err(Error::new(ErrorKind::Internal, format!("a {} is too long to be recorded", self.name)));
        }
        let mut bytes = Vec::with_capacity(argument.len() / 4);
        for string in argument.split('"').skip(1).step_by(2) {
            unescape(string, &mut bytes).ok_or_else(|| self.not_understood())?;
        }
        Ok(bytes)
    }

    /// The flags of a call that opens, which stand alone or in a structure.
    pub(super) fn open_flags(&self) -> &str {
        let plain = self.arguments.iter().map(|argument| argument.strip_prefix("{flags=").unwrap_or(argument));
        let flags = plain.into_iter().find(|argument| argument.starts_with("O_")).unwrap_or_default();
        flags.split(',').next().unwrap_or_default()
    }

    /// The path in an argument, relative to the directory in the one before it if that is a descriptor.
    pub(super) fn path(&self, index: usize) -> Result<PathBuf> {
        let named = PathBuf::from(OsString::from_vec(self.bytes(index)?));
        let directory = index.checked_sub(1).and_then(|before| self.descriptor_path(before));
        Ok(plain(&match directory {
            Some(directory) => directory.join(named),
            None if named.is_relative() => {
                std::env::current_dir().map_err(failed("there is no current directory"))?.join(named)
            }
            None => named,
        }))
    }

    pub(super) fn not_understood(&self) -> Error {
        let mut call = Vec::new();
        let escaped = format!("{}({}) = {}", self.name, self.arguments.join(", "), self.result);
        let readable =
            unescape(&escaped, &mut call).map(|()| String::from_utf8_lossy(&call).escape_debug().to_string());
        let message = format!("a call cannot be followed: {}", shortened(&readable.unwrap_or(escaped)));
        Error::new(ErrorKind::Unsupported, message)
    }
}

/// Arguments at the commas that are not inside of anything.
fn split(arguments: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut start) = (0_usize, false, 0);
    let mut found = Vec::new();
    for (at, byte) in arguments.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            // Not the end of an arrow.
            b'>' if !arguments.get(..at).is_some_and(|before| before.ends_with('=')) => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                found.extend(arguments.get(start..at).map(|text| text.trim().to_owned()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(arguments.get(start..).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()));
    found
}

/// The number that a text begins with, as decimal or hexadecimal digits.
fn number(text: &str) -> Option<u64> {
    let digits = |text: &str, radix| {
        let end = text.find(|character: char| !character.is_digit(radix)).unwrap_or(text.len());
        u64::from_str_radix(text.get(..end)?, radix).ok()
    };
    match text.strip_prefix("0x") {
        Some(hexadecimal) => digits(hexadecimal, 16),
        None => digits(text, 10),
    }
}

/// The path behind a descriptor, as in `3</tmp/file>`.
fn annotation(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let (path, _) = rest.rsplit_once('>')?;
    let mut bytes = Vec::new();
    unescape(path, &mut bytes)?;
    let path = PathBuf::from(OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

/// Appends the bytes of a string in which some or all are written as `\x` and two digits.
fn unescape(string: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut rest = string.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'\\' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (code, after) = after.split_at_checked(3)?;
        let [b'x', high, low] = *code else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
        rest = after;
    }
    Some(())
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// The same path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(trace: &str) -> Vec<Call> {
        let ends = |event| if let Event::Ends(call) = event { Some(call) } else { None };
        events(trace).unwrap().into_iter().filter_map(ends).collect()
    }

    #[test]
    fn a_call_is_taken_apart() {
        let line =
            r#"7 openat(5<\x2f\x74\x2f\x64>, "\x61\x2c\x22", O_WRONLY|O_CREAT, 0600) = 6<\x2f\x74\x2f\x64\x2f\x61>"#;
        let [call] = &calls(line)[..] else { panic!() };
        assert_eq!((call.thread, call.name.as_str(), call.descriptor(0).unwrap()), (7, "openat", 5));
        assert_eq!(call.path(1).unwrap(), Path::new("/t/d/a,\""));
        assert_eq!((call.argument(2), call.number(3).unwrap()), ("O_WRONLY|O_CREAT", 600));
        assert_eq!((call.returned(), call.returned_path()), (Some(6), Some("/t/d/a".into())));
    }

    #[test]
    fn a_call_that_failed_returned_nothing() {
        let trace = "1 close(3) = -1 EBADF (Bad file descriptor)\n1 fsync(3) = -1 EIO (Input/output error) (INJECTED)\n\
            1 exit_group(0) = ?\n1 +++ exited with 0 +++";
        let calls = calls(trace);
        assert_eq!(calls.iter().map(Call::returned).collect::<Vec<_>>(), [None; 3]);
        assert_eq!(calls.iter().map(Call::is_injected).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn interleaved_calls_are_put_together() {
        let trace = "1 write(3<\\x2f\\x61>, \"\\x68\\x69\", 2 <unfinished ...>\n2 fsync(3<\\x2f\\x61> <unfinished ...>\n\
            1 <... write resumed>) = 2\n2 <... fsync resumed>) = 0\n1 read(4, <unfinished ...>\n\
            1 <... read resumed>\"\\x6a\", 9) = 1";
        let names: Vec<_> = events(trace)
            .unwrap()
            .iter()
            .map(|event| match event {
                Event::Begins(call) => ("begins", call.thread, call.name.clone()),
                Event::Ends(call) => ("ends", call.thread, call.name.clone()),
            })
            .map(|(what, thread, name)| format!("{what} {thread} {name}"))
            .collect();
        assert_eq!(
            names,
            ["begins 1 write", "begins 2 fsync", "ends 1 write", "ends 2 fsync", "begins 1 read", "ends 1 read"]
        );
        let calls = calls(trace);
        assert_eq!((calls[0].bytes(1).unwrap(), calls[0].returned()), (b"hi".to_vec(), Some(2)));
        assert_eq!((calls[2].bytes(1).unwrap(), calls[2].number(2).unwrap()), (b"j".to_vec(), 9));
    }

    #[test]
    fn bytes_of_several_buffers_are_one_after_the_other() {
        let line = r#"1 writev(3, [{iov_base="\x61\x5d", iov_len=2}, {iov_base="\x00", iov_len=1}], 2) = 3"#;
        let call = &calls(line)[0];
        assert_eq!((call.bytes(1).unwrap(), call.number(2).unwrap()), (vec![b'a', b']', 0], 2));
    }

    #[test]
    fn an_arrow_is_no_bracket() {
        let call = &calls("1 copy_file_range(3<\\x2f\\x61>, [5] => [9], 4<\\x2f\\x62>, NULL, 4, 0) = 4")[0];
        assert_eq!((call.arguments.len(), call.argument(1), call.argument(3)), (6, "[5] => [9]", "NULL"));
    }

    #[test]
    fn what_was_cut_off_or_makes_no_sense_is_an_error() {
        assert!(calls("1 write(3, \"\\x61\"..., 9) = 9")[0].bytes(1).is_err());
        for trace in ["nonsense", "1 write", "x write(1) = 1", "1 <... write resumed>) = 2"] {
            assert_eq!(events(trace).unwrap_err().kind(), ErrorKind::Internal, "{trace}");
        }
    }
}
