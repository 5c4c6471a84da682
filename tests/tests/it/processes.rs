//! Other processes: they see what was put, and one that is killed harms nobody.

use crate::support::{Place, noise};
use cacheness::sync::Cache;
use std::process::{Command, Stdio};

fn other(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_other-process"));
    command.args(arguments).stdout(Stdio::piped());
    command
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_value_comes_back_in_a_second_process() {
    let place = Place::new();
    let dir = place.path();
    let cache = place.open();
    cache.put("small", "from the first").unwrap();
    cache.put("large", &noise(300_000)).unwrap();
    assert_eq!(output(&mut other(&["get", dir.to_str().unwrap(), "small"])), "from the first");
    assert_eq!(output(&mut other(&["length", dir.to_str().unwrap(), "large"])), "300000");
    output(&mut other(&["put", dir.to_str().unwrap(), "back", "from the second"]));
    assert_eq!(cache.get::<String>("back").unwrap().as_deref(), Some("from the second"));
}

#[test]
fn first_opens_race_and_all_succeed() {
    let place = Place::new();
    let dir = place.path();
    let children: Vec<_> = (0..6)
        .map(|number| other(&["put", dir.to_str().unwrap(), &number.to_string(), "value"]).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(Cache::open(dir).unwrap().stats().unwrap().entries, 6);
}

#[test]
fn an_acknowledged_put_survives_a_kill() {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
    let mut child = other(&["put-forever", place.path().to_str().unwrap()]).spawn().unwrap();
    let mut acknowledged = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        acknowledged = line.unwrap().parse::<u64>().unwrap();
        if acknowledged == 300 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged >= 300);
    let cache = place.open();
    for number in 0..=acknowledged {
        assert_eq!(cache.get::<Vec<u8>>(number).unwrap(), Some(noise(100 + (number as usize % 3) * 20_000)));
    }
}
