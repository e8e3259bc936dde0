"""Servers and devices for the tests, the benchmarks and the demo.

`hawkbit` runs the released hawkBit server, `devices` simulates its devices; `mender` simulates a Mender server,
`mender_devices` its devices. `fault_proxy` stands in front of any server, records the wire and breaks things on
purpose, `fixtures` makes hawkBit and the proxy available to pytest.
"""
