#include "tests/explore/flight.hpp"

namespace handfast::explore {

using base::Segment;
using base::Seq;

Flight flight_of(const Segment& segment) {
  HANDFAST_ASSERT(segment.payload.size() <= kTextMax && segment.ecn == base::Ecn::not_ect);
  Flight flight{.seq = segment.seq.raw(),
                .ack = segment.ack.raw(),
                .window = segment.window,
                .flags = segment.flags,
                .options = segment.options.present,
                .mss = segment.options.mss,
                .window_scale = segment.options.window_scale,
                .sack_count = segment.options.sack_count,
                .ts_value = segment.options.ts_value,
                .ts_echo = segment.options.ts_echo,
                .text_length = static_cast<std::uint8_t>(segment.payload.size())};
  for (std::size_t i = 0; i < flight.sack_count; ++i) {
    flight.sacks[2 * i] = segment.options.sack[i].left.raw();
    flight.sacks[2 * i + 1] = segment.options.sack[i].right.raw();
  }
  for (std::size_t i = 0; i < segment.payload.size(); ++i) {
    flight.text[i] = std::to_integer<std::uint8_t>(segment.payload[i]);
  }
  return flight;
}

Segment segment_of(const Flight& flight, std::byte* text) {
  Segment segment;
  segment.seq = Seq{flight.seq};
  segment.ack = Seq{flight.ack};
  segment.window = flight.window;
  segment.flags = flight.flags;
  segment.options.present = flight.options;
  segment.options.mss = flight.mss;
  segment.options.window_scale = flight.window_scale;
  segment.options.sack_count = flight.sack_count;
  segment.options.ts_value = flight.ts_value;
  segment.options.ts_echo = flight.ts_echo;
  for (std::size_t i = 0; i < flight.sack_count; ++i) {
    segment.options.sack[i] = {Seq{flight.sacks[2 * i]}, Seq{flight.sacks[2 * i + 1]}};
  }
  std::memcpy(text, flight.text.data(), flight.text_length);
  segment.payload = {text, flight.text_length};
  return segment;
}

}  // namespace handfast::explore
