//! Cutting the body of a reply short.

use super::http::head_end;

/// The longest head of a reply that is waited for, in bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// How far a reply that breaks off has come.
#[derive(Debug)]
pub(super) struct Truncation {
    /// The head as far as it came.
    head: Vec<u8>,
    /// How much of the body gets through yet, once the head is over.
    left: u64,
    is_in_body: bool,
}

impl Truncation {
    pub(super) fn new(bytes: u64) -> Self {
        Self { head: Vec::new(), left: bytes, is_in_body: false }
    }

    /// What of the next bytes gets through, and whether the reply breaks off behind that.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        if self.is_in_body {
            return self.cut_body(bytes);
        }
        self.head.extend_from_slice(bytes);
        let mut through = Vec::new();
        while let Some(end) = head_end(&self.head) {
            let rest = self.head.split_off(end);
            let is_final = !self.head.starts_with(b"HTTP/1.1 1");
            through.append(&mut self.head);
            self.head = rest;
            if is_final {
                self.is_in_body = true;
                let body = std::mem::take(&mut self.head);
                let (body, breaks_off) = self.cut_body(&body);
                through.extend(body);
                return (through, breaks_off);
            }
        }
        let is_endless = self.head.len() > LONGEST_HEAD;
        (through, is_endless)
    }

    fn cut_body(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let through = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= through as u64;
        (bytes[..through].to_vec(), self.left == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_breaks_off_in_its_body_wherever_pieces_end() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123456789";
        for (left, wanted) in [(0, text.len() - 9), (3, text.len() - 6)] {
            for piece in 1..=text.len() {
                let (mut truncation, mut through) = (Truncation::new(left), Vec::new());
                for piece in text.chunks(piece) {
                    let (bytes, breaks_off) = truncation.cut(piece);
                    through.extend(bytes);
                    if breaks_off {
                        break;
                    }
                }
                assert_eq!(through, text[..wanted], "{left} {piece}");
            }
        }
    }
}
