//! The program, as a person and as a script use it: every test in one binary, which is linked once.

mod architecture;
mod blocks;
mod check;
mod common;
mod demo;
mod disks;
mod doctor;
mod doctor_live;
mod doctor_report;
mod documents;
mod ends;
mod faults;
mod format;
mod grow;
mod guarded;
mod handoff;
mod hosts;
mod images;
mod json_failures;
mod lock_run;
mod look;
mod marks;
mod resignature;
mod shared;
mod stopped;
mod target;
