//! The sum, mean or maximum of the vectors of each bag of ids.

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    BagMode, Bags, Element, Param, Result, Tensor, embedding_bag, embedding_bag_weighted,
};
use rand::Rng;

use crate::embedding::EmbeddingConfig;
use crate::start;
use crate::table::TableOptions;

/// `y[b] = mean of W[ids[t]]` over bag b (or sum, or maximum), `W: [V, D]`, `y: [B, D]`; zeros for an empty bag.
///
/// Padding is left out of the sum, of the mean's count and of the maximum. The vectors in between are never stored.
///
/// ```
/// use lexigrad_nn::EmbeddingBag;
/// use lexigrad_tensor::Bags;
/// use rand::{SeedableRng, rngs::StdRng};
/// let embed = EmbeddingBag::new(1000, 8, &mut StdRng::seed_from_u64(1));
/// let texts = Bags::from_lists(&[vec![3_u32, 17, 3], vec![999]])?;
/// assert_eq!(*embed.forward(&texts)?.shape(), [2, 8]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.EmbeddingBag`. Differences: `sparse` is on by default and works in every mode and with `scale_grad_by_freq`;
/// weights go with mode mean too; every mode has a second derivative; offsets that decrease or do not end with the ids are
/// errors; the differences of [`Embedding`](crate::Embedding) hold as well.
#[derive(Clone, Debug, crate::Module)]
pub struct EmbeddingBag<T: Element = f32> {
    /// W: `[V, D]`
    pub weight: Param<T>,
    #[module(skip)]
    mode: BagMode,
    #[module(skip)]
    options: TableOptions,
}

/// The sizes and conventions of an [`EmbeddingBag`], with PyTorch's names and defaults (but for `sparse`).
///
/// Offsets and `include_last_offset` are a matter of [`Bags`].
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingBagConfig {
    /// V, the number of rows.
    pub num_embeddings: usize,
    /// D, the size of a row.
    pub embedding_dim: usize,
    /// How the rows of a bag become one.
    pub mode: BagMode,
    /// The row that stands for nothing: it starts at zero and never moves; -1 is the last row.
    pub padding_idx: Option<i64>,
    /// Rows looked up whose norm is larger are shortened to it, in place, before the lookup.
    pub max_norm: Option<f64>,
    /// The p of the norm `(Σ |x|^p)^(1/p)` that `max_norm` is about; any positive number, or infinity.
    pub norm_type: f64,
    /// Whether a row's gradient is divided by how often the ids name it.
    pub scale_grad_by_freq: bool,
    /// Whether the gradient of W holds only the rows looked up. PyTorch's default is false.
    pub sparse: bool,
}

impl EmbeddingBagConfig {
    /// A table of this size, mode mean and no conventions.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self {
            num_embeddings,
            embedding_dim,
            mode: BagMode::Mean,
            padding_idx: None,
            max_norm: None,
            norm_type: 2.0,
            scale_grad_by_freq: false,
            sparse: true,
        }
    }

    /// The layer, with W drawn from `rng`.
    ///
    /// # Errors
    /// If an option is out of its range, or there is no memory for W.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<EmbeddingBag<T>> {
        let (options, weight) = self.table().draw("embedding_bag", rng)?;
        let mode = self.mode;
        Ok(EmbeddingBag {
            weight,
            mode,
            options,
        })
    }

    /// The layer with the rows of `table`, frozen; the sizes are the table's.
    ///
    /// # Errors
    /// If the table is not a matrix or an option is out of its range.
    pub fn from_pretrained<T: Element>(&self, table: &Tensor<T>) -> Result<EmbeddingBag<T>> {
        let (options, weight) = self.table().adopt("embedding_bag", table)?;
        let mode = self.mode;
        Ok(EmbeddingBag {
            weight,
            mode,
            options,
        })
    }

    /// All but the mode.
    fn table(&self) -> EmbeddingConfig {
        EmbeddingConfig {
            num_embeddings: self.num_embeddings,
            embedding_dim: self.embedding_dim,
            padding_idx: self.padding_idx,
            max_norm: self.max_norm,
            norm_type: self.norm_type,
            scale_grad_by_freq: self.scale_grad_by_freq,
            sparse: self.sparse,
        }
    }
}

impl EmbeddingBag {
    /// A table of `num_embeddings` rows of `embedding_dim` numbers in `f32`, drawn from N(0, 1), in mode mean.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(num_embeddings: usize, embedding_dim: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        start::or_panic(EmbeddingBagConfig::new(num_embeddings, embedding_dim).build(rng))
    }
}

#[compiled]
impl<T: Element> EmbeddingBag<T> {
    /// A frozen layer in mode mean with the rows of `table: [V, D]`; `embed.weight.set_requires_grad(true)` trains it.
    ///
    /// # Errors
    /// If the table is not a matrix.
    ///
    /// PyTorch: `EmbeddingBag.from_pretrained`.
    pub fn from_pretrained(table: &Tensor<T>) -> Result<Self> {
        EmbeddingBagConfig::new(0, 0).from_pretrained(table)
    }

    /// One vector for each bag: `[B, D]`.
    ///
    /// # Errors
    /// If an id is not below V; then W is as it was.
    pub fn forward(&self, bags: &Bags) -> Result<Tensor<T>> {
        let rows = self.options.read(&self.weight, bags.ids())?;
        let bags = rows.bags(bags)?;
        embedding_bag(&rows.table, &bags, self.mode, &rows.lookup)
    }

    /// One vector for each bag, each entry counting with a factor of its own: `weights: [N]`, `y: [B, D]`.
    ///
    /// In mode mean the divisor is the count, as without weights.
    ///
    /// # Errors
    /// If an id is not below V, there is not one weight for each id, or the mode is max.
    ///
    /// PyTorch: `per_sample_weights`, in mode sum only.
    pub fn forward_weighted(&self, bags: &Bags, weights: &Tensor<T>) -> Result<Tensor<T>> {
        let rows = self.options.read(&self.weight, bags.ids())?;
        let bags = rows.bags(bags)?;
        embedding_bag_weighted(&rows.table, &bags, weights, self.mode, &rows.lookup)
    }
}
