//! Safetensors files as the state of a small model, whole and in part: what is refused changes nothing, what is taken is finite.
#![no_main]

mod support;

use lexigrad_nn::{BatchNorm1d, Linear, ModuleState, StateDict};
use libfuzzer_sys::fuzz_target;
use rand::{SeedableRng, rngs::StdRng};

fn bits(model: &(Linear, BatchNorm1d)) -> Vec<(String, Vec<u32>)> {
    let state = model.state_dict();
    let bits = state.iter().map(|(name, tensor)| {
        let bits = tensor.to_vec().into_iter().map(f32::to_bits);
        (name.to_owned(), bits.collect())
    });
    bits.collect()
}

fuzz_target!(|bytes: &[u8]| {
    let path = support::file(bytes);
    let new = || {
        (
            Linear::new(2, 1, &mut StdRng::seed_from_u64(1)),
            BatchNorm1d::new(2),
        )
    };
    let model = new();
    let before = bits(&model);
    match model.load(&path) {
        Err(_) => assert_eq!(bits(&model), before),
        Ok(()) => {
            let copy = support::path("copy");
            model.save(&copy).expect("what was loaded is saved");
            let again = new();
            again.load(&copy).expect("what was saved is loaded");
            assert_eq!(bits(&again), bits(&model));
        }
    }
    if let Ok(state) = StateDict::load(&path) {
        let report = model
            .load_partial(&state)
            .expect("a report says what does not fit");
        assert_eq!(report.is_complete(), new().load_state_dict(&state).is_ok());
    }
    let state = model.state_dict();
    assert!(
        state
            .iter()
            .all(|(_, tensor)| tensor.values().iter().all(|value| value.is_finite()))
    );
});
