//! What PyTorch's recorded numbers do not say: refused options, and who may change what.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{
    Embedding, EmbeddingBag, EmbeddingConfig, LayerNorm, Linear, Module, Relu, Sequential,
};
use lexigrad_tensor::{Bags, Ids, Tape, Tensor};
use rand::{SeedableRng, rngs::StdRng};

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn refused(config: EmbeddingConfig) -> String {
    config.build::<f32>(&mut rng()).unwrap_err().to_string()
}

#[test]
fn options_out_of_range_are_refused() {
    let plain = || EmbeddingConfig::new(4, 2);
    for max_norm in [0.0, -1.0, f64::NAN] {
        let text = refused(EmbeddingConfig {
            max_norm: Some(max_norm),
            ..plain()
        });
        assert_eq!(
            text,
            format!("embedding: max_norm is {max_norm}; it must be positive")
        );
    }
    let text = refused(EmbeddingConfig {
        norm_type: 0.0,
        ..plain()
    });
    assert_eq!(
        text,
        "embedding: norm_type is 0; it must be positive, or infinity"
    );
    for index in [4, -5] {
        let text = refused(EmbeddingConfig {
            padding_idx: Some(index),
            ..plain()
        });
        let rule = "it must be from -4 to 3 for a table of 4 rows";
        assert_eq!(text, format!("embedding: padding_idx is {index}; {rule}"));
    }
    assert!(
        EmbeddingConfig {
            norm_type: f64::INFINITY,
            max_norm: Some(1.0),
            ..plain()
        }
        .build::<f64>(&mut rng())
        .is_ok()
    );
}

#[test]
fn a_bad_id_leaves_the_table_as_it_was() {
    let config = EmbeddingConfig {
        max_norm: Some(0.1),
        ..EmbeddingConfig::new(4, 2)
    };
    let embed: Embedding = config.build(&mut rng()).unwrap();
    let before = embed.weight.value().to_vec();
    let error = embed
        .forward(&Ids::new([[0, 1], [2, 4]]).unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "embedding: id 4 at [1, 1] is out of range for a table of 4 rows"
    );
    assert_eq!(embed.weight.value().to_vec(), before);
}

#[test]
fn given_vectors_are_never_changed_and_frozen_at_first() {
    let given: Tensor = Tensor::full([3, 2], 5.0);
    let config = EmbeddingConfig {
        max_norm: Some(1.0),
        ..EmbeddingConfig::new(0, 0)
    };
    let embed = config.from_pretrained(&given).unwrap();
    assert!(embed.weight.value().shares_storage_with(&given));
    embed.forward(&Ids::new([0]).unwrap()).unwrap();
    assert_eq!(given.to_vec(), [5.0; 6]);
    assert!(embed.weight.value().to_vec()[0] < 1.0);
    let tape = Tape::new();
    let looked_up = embed.forward(&Ids::new([1]).unwrap()).unwrap();
    let error = tape.backward(&looked_up.sum()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "backward: the loss was not recorded; create a Tape before the forward pass"
    );
    let flat = Embedding::from_pretrained(&Tensor::<f32>::ones([3])).unwrap_err();
    assert_eq!(
        flat.to_string(),
        "embedding: the table has shape [3]; it must be [rows, dim]"
    );
}

#[test]
fn the_padding_row_starts_at_zero_and_is_returned_as_stored() {
    let config = EmbeddingConfig {
        padding_idx: Some(-1),
        ..EmbeddingConfig::new(3, 2)
    };
    let embed: Embedding = config.build(&mut rng()).unwrap();
    let padding = Ids::new([2]).unwrap();
    assert_eq!(embed.forward(&padding).unwrap().to_vec(), [0.0; 2]);
    embed
        .weight
        .update_rows(&padding, |_, row| row.fill(7.0))
        .unwrap();
    assert_eq!(embed.forward(&padding).unwrap().to_vec(), [7.0; 2]);
}

#[test]
fn layers_name_what_does_not_fit() {
    let text = |result: lexigrad_tensor::Result<Tensor>| result.unwrap_err().to_string();
    let linear = Linear::new(3, 2, &mut rng());
    assert_eq!(
        text(linear.forward(&Tensor::ones([4, 5]))),
        "linear: the input has shape [4, 5]; its last axis must be the 3 inputs of weight [2, 3]"
    );
    assert_eq!(
        text(LayerNorm::new(3).forward(&Tensor::ones([4, 5]))),
        "layer_norm: the weight has shape [3]; it must be [5], the normalised axes"
    );
    let bags = Bags::from_lists(&[vec![0_u32, 9]]).unwrap();
    assert_eq!(
        text(EmbeddingBag::new(5, 2, &mut rng()).forward(&bags)),
        "embedding_bag: id 9 at [1] is out of range for a table of 5 rows"
    );
}

#[test]
fn offsets_are_checked() {
    let ids = Ids::new([1, 2, 3]).unwrap();
    let text = |result: lexigrad_tensor::Result<Bags>| result.unwrap_err().to_string();
    assert_eq!(
        text(Bags::from_offsets(&ids, &[0, 2, 1])),
        "bags: offset 1 at [2] is below 2 before it; offsets never decrease"
    );
    assert_eq!(
        text(Bags::from_offsets(&ids, &[0, 6])),
        "bags: offset 6 at [1] is beyond the 3 ids; offsets never go beyond the end"
    );
    assert_eq!(
        text(Bags::from_offsets(&ids, &[])),
        "bags: no offsets for 3 ids; offsets start at 0"
    );
    assert_eq!(
        text(Bags::from_offsets(&ids, &[1, 2])),
        "bags: offset 1 at [0]; offsets start at 0"
    );
    assert_eq!(
        text(Bags::from_offsets_with_last(&ids, &[0, 2])),
        "bags: offset 2 at [1]; the last one must be the number of ids, 3"
    );
    assert_eq!(
        text(Bags::from_offsets_with_last(&ids, &[])),
        "bags: no offsets for 3 ids; offsets start at 0"
    );
    assert_eq!(
        text(Bags::from_offsets_with_last(
            &Ids::new(Vec::<u32>::new()).unwrap(),
            &[]
        )),
        "bags: no offsets; there must be at least one, 0"
    );
    assert_eq!(
        text(Bags::from_rows(&ids)),
        "bags: the ids have shape [3]; they must be [bags, length]; give 1-D ids offsets"
    );
    assert!(
        Bags::from_offsets(&Ids::new(Vec::<u32>::new()).unwrap(), &[])
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_derived_module_of_another_element_type() {
    #[derive(Module)]
    #[module(element = f64)]
    struct Wide {
        inner: Linear<f64>,
    }
    #[derive(Module)]
    struct Generic<T: lexigrad_tensor::Element> {
        inner: [Linear<T>; 2],
    }
    let wide = || {
        lexigrad_nn::LinearConfig::new(2, 2)
            .build::<f64>(&mut rng())
            .unwrap()
    };
    assert_eq!(Wide { inner: wide() }.named_parameters()[1].0, "inner.bias");
    let generic = Generic {
        inner: [wide(), wide()],
    };
    assert_eq!(generic.named_parameters()[2].0, "inner.1.weight");
}

#[test]
fn a_sequential_trains() {
    let mut rng = rng();
    let model = Sequential::new()
        .with(Linear::new(2, 4, &mut rng))
        .with(Relu)
        .with(Linear::new(4, 1, &mut rng));
    let tape = Tape::new();
    let loss = model.forward(&Tensor::ones([3, 2])).unwrap().square().sum();
    assert!(tape.backward(&loss).unwrap().missing(&model).is_empty());
}
