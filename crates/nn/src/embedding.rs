//! A table of vectors that is looked up by id.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Ids, Param, Result, Tensor, embedding};
use rand::Rng;

use crate::start;
use crate::table::TableOptions;

/// `y[i..] = W[ids[i..]]`, `W: [V, D]`, `ids: [..]`, `y: [.., D]`.
///
/// The gradient of W is row-sparse: a step costs what the ids looked up cost, whatever V is. W starts drawn from N(0, 1), its
/// padding row zero.
///
/// ```
/// use lexigrad_nn::{Embedding, EmbeddingConfig};
/// use lexigrad_tensor::{Ids, Tape};
/// use rand::{SeedableRng, rngs::StdRng};
///
/// let mut rng = StdRng::seed_from_u64(1);
/// let embed: Embedding = EmbeddingConfig { padding_idx: Some(0), ..EmbeddingConfig::new(50_000, 16) }.build(&mut rng)?;
///
/// let tape = Tape::new();
/// let y = embed.forward(&Ids::new([[5, 9, 0], [5, 0, 0]])?)?;
/// assert_eq!(*y.shape(), [2, 3, 16]);
/// let grads = tape.backward(&y.sum())?;
/// let sparse = grads.get(&embed.weight).and_then(|grad| grad.as_row_sparse()).unwrap();
/// assert_eq!(sparse.rows().as_slice(), [5, 9, 5]); // the padding gets none
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Embedding`. Differences: `sparse` is on by default, and every optimizer takes the sparse gradient;
/// `scale_grad_by_freq` works with it; ids may be of any integer type; an id out of range is an error that names it, where it
/// stands and the number of rows; optimizers never move the padding row, not even by weight decay; `from_pretrained` does not
/// change the caller's tensor; a `max_norm` or `norm_type` that is not positive is an error.
#[derive(Clone, Debug, crate::Module)]
pub struct Embedding<T: Element = f32> {
    /// W: `[V, D]`
    pub weight: Param<T>,
    #[module(skip)]
    options: TableOptions,
}

/// The sizes and conventions of an [`Embedding`], with PyTorch's names and defaults (but for `sparse`).
///
/// ```
/// use lexigrad_nn::{Embedding, EmbeddingConfig};
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = EmbeddingConfig { max_norm: Some(1.0), ..EmbeddingConfig::new(10, 4) };
/// let embed: Embedding<f64> = config.build(&mut StdRng::seed_from_u64(1))?;
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingConfig {
    /// V, the number of rows.
    pub num_embeddings: usize,
    /// D, the size of a row.
    pub embedding_dim: usize,
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

impl EmbeddingConfig {
    /// A table of this size and no conventions.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self {
            num_embeddings,
            embedding_dim,
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
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<Embedding<T>> {
        let (options, weight) = self.draw("embedding", rng)?;
        Ok(Embedding { weight, options })
    }

    /// The layer with the rows of `table`, frozen; the sizes are the table's.
    ///
    /// The padding row is left as it is given. Training or `max_norm` never changes the caller's tensor.
    ///
    /// # Errors
    /// If the table is not a matrix or an option is out of its range.
    pub fn from_pretrained<T: Element>(&self, table: &Tensor<T>) -> Result<Embedding<T>> {
        let (options, weight) = self.adopt("embedding", table)?;
        Ok(Embedding { weight, options })
    }
}

impl Embedding {
    /// A table of `num_embeddings` rows of `embedding_dim` numbers in `f32`, drawn from N(0, 1), without padding.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(num_embeddings: usize, embedding_dim: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        start::or_panic(EmbeddingConfig::new(num_embeddings, embedding_dim).build(rng))
    }
}

#[compiled]
impl<T: Element> Embedding<T> {
    /// A layer that looks up the rows of `weight: [V, D]`, shared with whoever holds it: tied weights. No conventions.
    pub fn with_weight(weight: Param<T>) -> Self {
        let options = TableOptions::plain("embedding");
        Self { weight, options }
    }

    /// A frozen layer with the rows of `table: [V, D]`; `embed.weight.set_requires_grad(true)` trains it.
    ///
    /// # Errors
    /// If the table is not a matrix.
    ///
    /// PyTorch: `Embedding.from_pretrained`, whose `max_norm` edits the caller's tensor; here it never changes.
    pub fn from_pretrained(table: &Tensor<T>) -> Result<Self> {
        EmbeddingConfig::new(0, 0).from_pretrained(table)
    }

    /// `y[i..] = W[ids[i..]]`, `ids: [..]`, `y: [.., D]`.
    ///
    /// # Errors
    /// If an id is not below V; then W is as it was.
    pub fn forward(&self, ids: &Ids) -> Result<Tensor<T>> {
        let rows = self.options.read(&self.weight, ids)?;
        embedding(&rows.table, rows.ids.as_ref().unwrap_or(ids), &rows.lookup)
    }
}
