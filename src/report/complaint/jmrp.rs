//! Microsoft's Junk Mail Reporting Program: its three shapes.
