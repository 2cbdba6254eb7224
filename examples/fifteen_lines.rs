//! A whole model in fifteen lines: an embedding, an LSTM and a linear layer learn a label for each word.
//!
//! `cargo run --release --example fifteen_lines`; `bash .ci/lines` counts what the compiler makes of it.

use lexigrad::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

#[derive(Module)]
struct Tagger {
    embed: Embedding,
    lstm: Lstm,
    out: Linear,
}

fn main() -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(1);
    let (embed, lstm, out) = (
        Embedding::new(100, 8, rng),
        Lstm::new(8, 16, rng),
        Linear::new(16, 2, rng),
    );
    let model = Tagger { embed, lstm, out };
    let words = Ids::new([[1, 2, 3], [4, 5, 6]])?; // [time, batch]
    let labels = Ids::new([[0, 1, 0], [1, 0, 1]])?;
    let mut optimizer = Adam::new(0.01).build(&model);
    for step in 0..50 {
        let tape = Tape::new();
        let (states, _) = model.lstm.forward(&model.embed.forward(&words)?)?;
        let loss = cross_entropy(&model.out.forward(&states)?, &labels)?;
        optimizer.step(&tape.backward(&loss)?)?;
        if step % 10 == 9 {
            println!("step {:2}  loss {:.4}", step + 1, loss.item()?);
        }
    }
    Ok(())
}
