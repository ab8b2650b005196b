//! The customers, in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Customer {
    /// Their number.
    pub id: u32,
    /// Their name.
    pub name: &'static str,
    /// Where they are.
    pub city: &'static str,
}

/// All of them, by number.
#[derive(Debug)]
pub(super) struct Customers(Mutex<BTreeMap<u32, Customer>>);

const AT_START: [Customer; 6] = [
    Customer { id: 17, name: "Marguerite Vasseur", city: "Lyon" },
    Customer { id: 23, name: "Owen Hartley", city: "Leeds" },
    Customer { id: 42, name: "Ines Carvalho", city: "Porto" },
    Customer { id: 58, name: "Bruno Keller", city: "Basel" },
    Customer { id: 64, name: "Sanna Lindqvist", city: "Uppsala" },
    Customer { id: 71, name: "Theo Marchand", city: "Nantes" },
];

// === impl Customers ===

impl Default for Customers {
    fn default() -> Self {
        Self(Mutex::new(AT_START.into_iter().map(|customer| (customer.id, customer)).collect()))
    }
}

impl Customers {
    fn by_id(&self) -> MutexGuard<'_, BTreeMap<u32, Customer>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    pub(super) fn all(&self) -> Vec<Customer> {
        self.by_id().values().cloned().collect()
    }

    pub(super) fn get(&self, id: u32) -> Option<Customer> {
        self.by_id().get(&id).cloned()
    }

    /// Deletes a customer and gives what was deleted.
    pub(super) fn delete(&self, id: u32) -> Option<Customer> {
        self.by_id().remove(&id)
    }
}
