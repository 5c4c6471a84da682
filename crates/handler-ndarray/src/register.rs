//! Registration of every element type and rank.

use crate::{AnyArray, ArrayHandler, ArrayMapHandler, Element, Member};
use cacheness_core::Result;
use cacheness_handlers::HandlerRegistry;
use ndarray::{ArrayD, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn};

/// Registers the handlers of every element type and rank, under names such as `ndarray.f64.2` and `ndarray.f64.dyn`; of
/// maps to arrays of dynamic rank, such as `ndarray_map.f64`; and of maps to [`AnyArray`], `ndarray_map.any`.
///
/// # Errors
///
/// [`AlreadyRegistered`](cacheness_core::ErrorKind::AlreadyRegistered) when one of the names is taken; the handlers
/// before it stay.
pub fn register(registry: &mut HandlerRegistry) -> Result<()> {
    macro_rules! elements {
        ($($element:ident)*) => {$( register_ranks::<$element>(registry)?; )*};
    }
    elements!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bool);
    register_map::<AnyArray>(registry)
}

fn register_ranks<A: Element>(registry: &mut HandlerRegistry) -> Result<()> {
    register_rank::<A, Ix0>(registry)?;
    register_rank::<A, Ix1>(registry)?;
    register_rank::<A, Ix2>(registry)?;
    register_rank::<A, Ix3>(registry)?;
    register_rank::<A, Ix4>(registry)?;
    register_rank::<A, Ix5>(registry)?;
    register_rank::<A, Ix6>(registry)?;
    register_rank::<A, IxDyn>(registry)?;
    register_map::<ArrayD<A>>(registry)
}

fn register_rank<A: Element, D: Dimension + 'static>(registry: &mut HandlerRegistry) -> Result<()> {
    let rank = D::NDIM.map_or_else(|| "dyn".to_owned(), |rank| rank.to_string());
    registry.add_bundled(format!("ndarray.{}.{rank}", A::DTYPE), ArrayHandler::<A, D>::new())
}

fn register_map<M: Member>(registry: &mut HandlerRegistry) -> Result<()> {
    registry.add_bundled(format!("ndarray_map.{}", M::name()), ArrayMapHandler::<M>::new())
}
