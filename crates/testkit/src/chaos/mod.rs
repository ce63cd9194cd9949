//! The parts of the chaos test that are pure and have tests of their own: the fault plans, the journal of what clients saw, the
//! oracle that checks the promises, and the settings of a run. `tests/chaos` starts the servers and injects the faults.

pub mod fault;
pub mod fault_plan;
pub mod journal;
pub mod oracle;
pub mod settings;
