use std::collections::HashSet;
use std::net::TcpListener;

use testkit::ports::{free_address, free_port};

#[test]
fn each_free_port_is_given_once_and_the_kernel_does_not_give_it_to_others() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let ports: Vec<u16> = (0..200).map(|_| free_port()).collect();
    assert!(ports.iter().all(|port| *port < first), "{ports:?} and the range of the kernel, {range}");
    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len(), "{ports:?}");
}

#[test]
fn free_address_can_be_listened_on() {
    TcpListener::bind(free_address()).unwrap();
}
