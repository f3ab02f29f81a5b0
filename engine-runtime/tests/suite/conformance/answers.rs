//! What ops answer, as words to compare bit for bit: every instruction set has the same answer.
//!
//! Shapes are odd, so that vectors of every width have something left over, and some rows hold what is no number.

use super::inputs::Random;

/// The results of some ops, one behind the other.
#[derive(Default)]
pub struct Answer(Vec<u32>);

impl Answer {
    pub fn words(&mut self, words: &[u32]) {
        self.0.extend(words);
    }

    /// Which of the numbers that are none it is, IEEE 754 leaves open.
    pub fn numbers(&mut self, numbers: &[f32]) {
        let one = |x: &f32| if x.is_nan() { f32::NAN } else { *x };
        self.0.extend(numbers.iter().map(|x| one(x).to_bits()));
    }
}

/// Makes one number of every second row what rows should not hold, in turn.
pub fn spoil(random: &mut Random, values: &mut [f32], width: usize) {
    let spoils = [
        f32::INFINITY,
        1e-42,
        f32::NEG_INFINITY,
        f32::NAN,
        3e38,
        -0.0,
    ];
    let rows = values.chunks_mut(width).skip(1).step_by(2);
    for (row, spoil) in rows.zip(spoils.into_iter().cycle()) {
        row[random.below(row.len())] = spoil;
    }
}

/// Holds all answers that this machine can give against the first of them.
#[track_caller]
pub fn same(answers: &[(&str, Option<Answer>)]) {
    let mut given = answers
        .iter()
        .filter_map(|(name, answer)| Some((name, &answer.as_ref()?.0)));
    let Some((first, expected)) = given.next() else {
        return;
    };
    assert!(!expected.is_empty(), "{first} says nothing");
    for (name, got) in given {
        assert_eq!(got.len(), expected.len(), "{name} and {first}");
        let other = got.iter().zip(expected).position(|(got, one)| got != one);
        assert_eq!(
            other.map(|i| (i, f32::from_bits(got[i]), f32::from_bits(expected[i]))),
            None,
            "place, {name} and {first}"
        );
    }
}
