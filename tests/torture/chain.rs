//! The whole chain a received message passes: octets come in, what becomes of them
//! goes out, in the words of a verdict.

use core::time::Duration;

use bytes::BytesMut;
use sbc_sip::wire::{Frame, Malformed, Received, Stream, datagram};

/// What became of some octets, and the frame they hold if one could be read.
#[derive(Debug)]
pub struct Outcome {
    pub word: String,
    pub frame: Option<Frame>,
}

/// What became of a stream.
#[derive(Debug)]
pub struct Run {
    pub word: String,
    pub frames: Vec<Frame>,
    pub stream: Stream,
}

/// Returns what becomes of one datagram.
pub fn of_datagram(octets: &[u8]) -> Outcome {
    judge(datagram(BytesMut::from(octets)))
}

/// Returns what becomes of a stream that brings `octets` in segments of `segment`.
pub fn of_stream(octets: &[u8], segment: usize) -> Run {
    let mut run = Run {
        word: String::new(),
        frames: Vec::new(),
        stream: Stream::new(),
    };
    let mut words = Vec::new();
    for part in octets.chunks(segment.max(1)) {
        run.push(part, &mut words);
    }
    // A ping cut in two is first taken for a pong.
    while let Some(cut) = words.windows(2).position(|two| two == ["pong", "ping"]) {
        words.remove(cut);
    }
    let end = match (run.stream.is_lost(), run.stream.held()) {
        (true, _) => Some("close"),
        (false, 0) => None,
        (false, _) => Some("waits"),
    };
    run.word = match (words.is_empty(), end) {
        (true, None) => "nothing".to_owned(),
        (false, Some("close")) => format!("{} close", words.join(", ")),
        (_, end) => words
            .into_iter()
            .chain(end.map(str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
    };
    run
}

impl Run {
    /// Brings more octets; returns what became of those that were whole.
    pub fn then(&mut self, octets: &[u8]) -> Vec<String> {
        let mut words = Vec::new();
        self.push(octets, &mut words);
        words
    }

    fn push(&mut self, part: &[u8], words: &mut Vec<String>) {
        self.stream.push(Duration::ZERO, part);
        loop {
            let taken = match self.stream.take() {
                Ok(None) => return,
                Ok(Some(received)) => Ok(received),
                Err(malformed) => Err(malformed),
            };
            let outcome = judge(taken);
            words.push(outcome.word);
            self.frames.extend(outcome.frame);
        }
    }
}

fn judge(taken: Result<Received, Malformed>) -> Outcome {
    match taken {
        Ok(Received::Message(frame)) => Outcome {
            word: crate::judge::of_frame(&frame),
            frame: Some(frame),
        },
        Ok(Received::Ping) => "ping".into(),
        Ok(Received::Pong) => "pong".into(),
        Ok(Received::Nothing) => "nothing".into(),
        Err(malformed) => Outcome {
            word: malformed
                .answer()
                .map_or_else(|| "drop".to_owned(), |status| status.to_string()),
            frame: malformed.frame().cloned(),
        },
    }
}

impl From<&str> for Outcome {
    fn from(word: &str) -> Self {
        Self {
            word: word.to_owned(),
            frame: None,
        }
    }
}
