//! The rules, one test each, named after what it shows: `r…`, `c…`, `e…` of the product rules, `b…` of the lessons.
//! Every decision in them goes through [`practice::Practice`], which checks after each one what must always hold.

mod model;
mod practice;
mod random;

mod assignment;
mod auto_assignment;
mod cost;
mod endpoints;
mod inbound;
mod lifecycle;
mod lists;
mod marks;
mod membership;
mod property;
mod refusals;
mod tags;
mod teammates;
mod teams;
mod told;
mod writing;
