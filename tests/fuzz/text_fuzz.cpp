// What people write on a command line: quantities, addresses, prefixes, endpoints. Each answers a
// value within its range or a sentence; an address that was read is written and read again.

#include <cmath>
#include <string>

#include "apps/options/quantity.hpp"
#include "base/assert.hpp"
#include "handfast/address.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

namespace {

template <class T>
bool is_value(const std::expected<T, std::string>& parsed) {
  if (!parsed) HANDFAST_ASSERT(!parsed.error().empty());
  return parsed.has_value();
}

void check_quantities(std::string_view text) {
  if (const auto rate = apps::parse_rate(text); is_value(rate)) HANDFAST_ASSERT(*rate > 0);
  if (const auto count = apps::parse_count(text); is_value(count)) HANDFAST_ASSERT(*count > 0);
  if (const auto rate = apps::parse_bit_rate(text); is_value(rate)) HANDFAST_ASSERT(*rate > 0);
  if (const auto size = apps::parse_size(text); is_value(size)) HANDFAST_ASSERT(*size > 0);
  if (const auto odds = apps::parse_probability(text); is_value(odds)) {
    HANDFAST_ASSERT(*odds >= 0 && *odds <= 1);
  }
  if (const auto time = apps::parse_duration(text); is_value(time)) {
    HANDFAST_ASSERT(time->count() > 0);
  }
  is_value(apps::parse_seed(text));
  if (const auto port = apps::parse_port_number(text); is_value(port)) HANDFAST_ASSERT(*port > 0);
  if (const auto cpus = apps::parse_cpus(text); is_value(cpus)) HANDFAST_ASSERT(!cpus->empty());
}

template <class T>
void check_again(std::string_view text) {
  const auto first = T::parse(text);
  if (!is_value(first)) return;
  const auto second = T::parse(first->to_string());
  HANDFAST_ASSERT(second.has_value() && *second == *first);
}

void check_prefix(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!is_value(prefix)) return;
  HANDFAST_ASSERT(prefix->length <= (prefix->network.is_v4() ? 32 : 128));
  HANDFAST_ASSERT(prefix->contains(prefix->network));
  // An IPv6 network around the mapped addresses ends in IPv4 ones, which are none of it.
  const Address last = prefix->nth(prefix->size() - 1);
  if (last.is_v4() == prefix->network.is_v4()) HANDFAST_ASSERT(prefix->contains(last));
}

void run(Input input) {
  const std::vector<std::byte> bytes = input.rest();
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  check_quantities(text);
  check_again<Address>(text);
  check_again<Prefix>(text);
  check_again<Endpoint>(text);
  check_prefix(text);
}

}  // namespace

}  // namespace handfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  handfast::fuzz::run({data, size});
  return 0;
}
