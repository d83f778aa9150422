//! The first boot: eight questions in plain text, what they mean as TOML, a
//! check, probes on the live network, and a commit that goes back by itself
//! unless it is kept.

mod probe;
mod questions;

use serde_json::{Value, json};

use super::configure::{self, Wish};
use super::session::Session;
use super::terminal::{self, Word};
use questions::{Answers, Link, QUESTIONS, Question};

/// Minutes until what nobody keeps goes back.
const MINUTES: u64 = 10;

/// Returns whether the node has been told of no neighbour yet.
#[must_use]
pub fn is_wanted(session: &mut Session) -> bool {
    configure::live(session).is_ok_and(|live| {
        ["trunk", "mediation"]
            .iter()
            .all(|kind| live.document.names(kind).is_empty())
    })
}

/// Asks, commits, probes and keeps.
///
/// # Errors
/// A sentence for people.
pub fn run(session: &mut Session) -> Result<String, String> {
    if !is_wanted(session) {
        return Err("this node knows its neighbours: 'configure' changes them".to_owned());
    }
    let links = probe::links();
    println!("Eight questions.  Enter takes what stands in brackets, '?' explains,");
    println!("'b' goes back, Ctrl-C leaves without a change.");
    for link in &links {
        let carrier = if link.carrier {
            "carrier"
        } else {
            "no carrier"
        };
        println!(
            "  {:<16} {}  {carrier}",
            super::clean(&link.device),
            link.mac
        );
    }
    let mut answers = Answers::new();
    loop {
        let Some(given) = all_answers(std::mem::take(&mut answers), &links)? else {
            return Ok("nothing was changed\n".to_owned());
        };
        answers = given;
        match offer(session, &answers)? {
            Offered::Kept(said) => return Ok(said),
            Offered::Again => {}
        }
    }
}

enum Offered {
    Kept(String),
    Again,
}

/// Asks every question once; nothing if somebody left.
fn all_answers(mut answers: Answers, links: &[Link]) -> Result<Option<Answers>, String> {
    let mut place = 0;
    let mut asked: Vec<usize> = Vec::new();
    while let Some(question) = QUESTIONS.get(place) {
        if !(question.when)(&answers) {
            answers.remove(question.key);
            place += 1;
            continue;
        }
        match one_answer(question, &answers, links)? {
            Typed::Answer(text) => {
                answers.insert(question.key, text);
                asked.push(place);
                place += 1;
            }
            Typed::Back => place = asked.pop().unwrap_or(0),
            Typed::Leave => return Ok(None),
        }
    }
    Ok(Some(answers))
}

enum Typed {
    Answer(String),
    Back,
    Leave,
}

fn one_answer(question: &Question, answers: &Answers, links: &[Link]) -> Result<Typed, String> {
    // What was answered before 'b' is offered again.
    let default = answers
        .get(question.key)
        .cloned()
        .unwrap_or_else(|| (question.default)(answers, links));
    let shown = if default.is_empty() {
        String::new()
    } else {
        format!(" [{default}]")
    };
    loop {
        let typed = terminal::word(&format!("{}{shown}: ", question.ask));
        let typed = match typed.map_err(|error| error.to_string())? {
            Word::Said(text) => text.trim().to_owned(),
            Word::Cancelled | Word::End => return Ok(Typed::Leave),
        };
        let text = match typed.as_str() {
            "?" => {
                println!("  {}", question.help);
                continue;
            }
            "b" => return Ok(Typed::Back),
            "" => default.clone(),
            _ => typed,
        };
        match (question.check)(&text) {
            Ok(()) => return Ok(Typed::Answer(text)),
            Err(why) => println!("  {why}"),
        }
    }
}

/// Shows what the answers mean, and makes it live if that is wanted.
fn offer(session: &mut Session, answers: &Answers) -> Result<Offered, String> {
    let lines = questions::lines(answers);
    configure::begin(session, false, false)?;
    let done = prepare(session, &lines);
    let (text, wrong) = match done {
        Ok(found) => found,
        Err(why) => (why, true),
    };
    println!("\nas set lines:\n\n{lines}");
    if !text.is_empty() {
        println!("{text}");
    }
    if wrong {
        session.candidate = None;
        println!("this cannot be used; the questions come again with your answers");
        return Ok(Offered::Again);
    }
    if !yes(&format!(
        "make it live for {MINUTES} minutes [y], or change it [n]: "
    ))? {
        session.candidate = None;
        return Ok(Offered::Again);
    }
    if lines.contains(questions::PSK) {
        key_of_the_tunnel(session)?;
    }
    let wish = Wish {
        confirm: Some(MINUTES),
        comment: "first boot".to_owned(),
        at: None,
        drain: None,
    };
    let committed = configure::commit(session, &wish);
    session.candidate = None;
    print!("{}", committed?);
    probe::all(session, answers);
    if !yes("keep it [y], or go back [n]: ")? {
        let back = session.client.ask("config.back", &Value::Null);
        back.map_err(|why| why.to_string())?;
        return Ok(Offered::Kept(
            "it went back; 'request setup' asks again\n".to_owned(),
        ));
    }
    let kept = session.client.ask("config.confirm", &Value::Null);
    let kept = kept.map_err(|why| why.to_string())?;
    let revision = kept.get("revision").and_then(Value::as_u64).unwrap_or(0);
    Ok(Offered::Kept(format!(
        "revision {revision} kept; boot uses it.  'show trunks', 'show mediation'\n"
    )))
}

/// Puts the lines into the candidate; returns its problems, and whether one is an
/// error.
fn prepare(session: &mut Session, lines: &str) -> Result<(String, bool), String> {
    let Some(candidate) = &mut session.candidate else {
        return Err("there is no candidate".to_owned());
    };
    candidate
        .document
        .follow(lines)
        .map_err(|why| why.to_string())?;
    println!("\n{}", super::clean_lines(&candidate.document.to_toml()));
    Ok(configure::problems(&candidate.document))
}

fn key_of_the_tunnel(session: &mut Session) -> Result<(), String> {
    loop {
        let typed = terminal::secret("the key of the tunnel (not shown): ");
        let Some(value) = typed.map_err(|error| error.to_string())? else {
            return Err("nothing was typed; nothing was changed".to_owned());
        };
        let asked = json!({ "secret": questions::PSK, "value": value });
        match session.client.ask("secrets.set", &asked) {
            Ok(_) => return Ok(()),
            Err(why) => println!("{why}"),
        }
    }
}

fn yes(question: &str) -> Result<bool, String> {
    loop {
        let typed = terminal::word(question).map_err(|error| error.to_string())?;
        match typed {
            Word::Said(text) if ["", "y", "yes"].contains(&text.trim()) => return Ok(true),
            Word::Said(text) if ["n", "no"].contains(&text.trim()) => return Ok(false),
            Word::Said(_) => println!("  y or n"),
            Word::Cancelled | Word::End => return Err("left; what is live goes back".to_owned()),
        }
    }
}
