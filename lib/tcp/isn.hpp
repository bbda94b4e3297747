// Initial sequence numbers (RFC 6528): ISN = M + F(connection, secret). M counts 4-microsecond
// steps (RFC 9293 section 3.4.1, MUST-8), F is SipHash with a key secret to this start.
#pragma once

#include "base/flow_key.hpp"
#include "base/seq.hpp"
#include "base/siphash.hpp"
#include "handfast/time.hpp"

namespace handfast::tcp {

base::Seq initial_sequence_number(const base::FlowKey& key, const base::SipKey& secret,
                                  Instant now);

}  // namespace handfast::tcp
