//! What an embedding is and does, in six words and three numbers each.
//!
//! `cargo run --release --example embedding_tour`

use lexigrad::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

const WORDS: [&str; 6] = ["the", "cat", "dog", "sat", "on", "mat"];

fn main() -> Result<()> {
    lookup()?;
    padding()?;
    max_norm()?;
    scale_grad_by_freq()?;
    sparse_gradient()?;
    pretrained()
}

fn ids(text: &str) -> Result<Ids> {
    let place = |word| WORDS.iter().position(|known| *known == word);
    Ids::new(text.split(' ').filter_map(place).collect::<Vec<usize>>())
}

/// A fresh table for each stop of the tour, the same every time.
fn embedding(config: EmbeddingConfig) -> Result<Embedding> {
    config.build(&mut StdRng::seed_from_u64(6))
}

fn plain() -> EmbeddingConfig {
    EmbeddingConfig::new(WORDS.len(), 3)
}

fn lookup() -> Result<()> {
    println!("An embedding is a table with a row for each word; looking up ids copies rows.");
    let embed = embedding(plain())?;
    for (word, row) in WORDS.iter().zip(embed.weight.value().values().chunks(3)) {
        println!("  {word:4} {row:7.4?}");
    }
    println!("the cat sat =\n{}", embed.forward(&ids("the cat sat")?)?);
    Ok(())
}

fn padding() -> Result<()> {
    println!(
        "\npadding_idx: the row of \"the\" stands for nothing. It starts at zero and no step moves it."
    );
    let embed = embedding(EmbeddingConfig {
        padding_idx: Some(0),
        ..plain()
    })?;
    let mut optimizer = Sgd {
        weight_decay: 0.1,
        ..Sgd::new(0.5)
    }
    .build(&embed);
    let tape = Tape::new();
    let loss = embed.forward(&ids("the cat the")?)?.sum();
    optimizer.step(&tape.backward(&loss)?)?;
    println!(
        "after a step on \"the cat the\":\n{}",
        embed.forward(&ids("the cat")?)?
    );
    Ok(())
}

fn max_norm() -> Result<()> {
    println!(
        "\nmax_norm: a row that is longer than 1 is shortened when it is looked up, and only then."
    );
    let embed = embedding(EmbeddingConfig {
        max_norm: Some(1.0),
        ..plain()
    })?;
    let lengths = |embed: &Embedding| -> Result<Tensor> {
        Ok(embed.weight.value().square().sum_axes(&[1])?.sqrt())
    };
    println!("lengths before: {}", lengths(&embed)?);
    embed.forward(&ids("cat dog")?)?;
    println!("after \"cat dog\": {}", lengths(&embed)?);
    Ok(())
}

fn scale_grad_by_freq() -> Result<()> {
    println!("\nscale_grad_by_freq: a word that occurs twice gets half of its gradient.");
    for scale_grad_by_freq in [false, true] {
        let embed = embedding(EmbeddingConfig {
            scale_grad_by_freq,
            ..plain()
        })?;
        let tape = Tape::new();
        let loss = embed.forward(&ids("cat cat dog")?)?.sum();
        let grads = tape.backward(&loss)?;
        if let Some(gradient) = grads.dense(&embed.weight)? {
            println!(
                "scaled {scale_grad_by_freq:5}: cat {}, dog {}",
                gradient.narrow(0, 1, 1)?,
                gradient.narrow(0, 2, 1)?
            );
        }
    }
    Ok(())
}

fn sparse_gradient() -> Result<()> {
    println!(
        "\nThe gradient is sparse: it holds the rows looked up, and a step touches those alone."
    );
    let embed = embedding(plain())?;
    let before = embed.weight.value().detach();
    let mut optimizer = Adam::new(0.1).build(&embed);
    let tape = Tape::new();
    let loss = embed.forward(&ids("cat sat on cat")?)?.square().sum();
    let grads = tape.backward(&loss)?;
    if let Some(sparse) = grads.get(&embed.weight).and_then(Grad::as_row_sparse) {
        println!(
            "rows {:?}, coalesced {:?}",
            sparse.rows().as_slice(),
            sparse.coalesce().rows().as_slice()
        );
    }
    optimizer.step(&grads)?;
    let moved = embed.weight.value().sub(&before)?.abs().sum_axes(&[1])?;
    for (word, distance) in WORDS.iter().zip(moved.to_vec()) {
        println!("  {word:4} moved by {distance:.4}");
    }
    Ok(())
}

fn pretrained() -> Result<()> {
    println!(
        "\nfrom_pretrained: frozen unless told otherwise, and the caller's tensor never changes."
    );
    let vectors: Tensor = Tensor::eye(3);
    for trained in [false, true] {
        let embed = Embedding::from_pretrained(&vectors)?;
        embed.weight.set_requires_grad(trained);
        let out = Linear::new(3, 1, &mut StdRng::seed_from_u64(6));
        let mut optimizer = Sgd::new(1.0).build(&embed);
        let tape = Tape::new();
        let loss = out.forward(&embed.forward(&ids("the cat")?)?)?.sum();
        let grads = tape.backward(&loss)?;
        optimizer.step(&grads)?;
        let change = embed.weight.value().sub(&vectors)?.abs().sum().item()?;
        println!(
            "trained {trained:5}: a step changes the table by {change:.4}, the given vectors still sum to {}",
            vectors.sum().item()?
        );
    }
    Ok(())
}
