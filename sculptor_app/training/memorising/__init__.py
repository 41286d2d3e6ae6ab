"""The test of a finding about training: small networks learn here when copies of their pictures come; see `claim`."""
