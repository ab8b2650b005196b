//! Who may see, confirm, deny, cancel: the person and phone checks of H1, H8, H10.
