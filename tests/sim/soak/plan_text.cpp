// A plan as text, for whoever replays it.

#include <fmt/format.h>

#include "tests/sim/soak/plan.hpp"

namespace handfast::sim {
namespace {

double ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string text_of(const drivers::Impairment& weather) {
  return fmt::format(
      "drop {} bursts {} duplicate {} reorder {} (by {} ms) corrupt {} delay {} ms jitter {} ms "
      "rate {} queue {} mark {}",
      weather.drop, weather.bursts.p, weather.duplicate, weather.reorder, ms(weather.reorder_delay),
      weather.corrupt, ms(weather.delay), ms(weather.jitter), weather.bits_per_second,
      weather.queue_max.frames, weather.ce_threshold.frames);
}

std::string text_of(const drivers::MiddleboxConfig& box) {
  std::string out = fmt::format(
      "strips {:x}/{:x}/{:x} mss {} frame_max {} forgets after {} ms {} resets {} blind {} {} {} "
      "errors {} {} echo {} after {} ms{}{}{}{}",
      box.strip_sent, box.strip_received, box.strip_always, box.mss_max, box.frame_max,
      ms(box.forget_after), box.forgotten_get_reset ? "(RST)" : "", box.exact_reset,
      box.blind_reset, box.blind_segment, box.blind_error, box.soft_error, box.hard_error, box.echo,
      ms(box.echo_after), box.syn_text == drivers::SynText::cut ? " cuts SYN's text" : "",
      box.syn_text == drivers::SynText::swallowed_with_its_syn ? " swallows SYNs with text" : "",
      box.shifts_sequence ? (box.shifts_sack ? " shifts numbers and SACK" : " shifts numbers") : "",
      box.tells_of_outages ? " tells of outages" : "");
  for (const drivers::MtuChange& change : box.mtus) {
    out += fmt::format(" MTU {}{} from {} ms", change.mtu, box.hides_mtu ? " (unsaid)" : "",
                       ms(change.at - Instant{}));
  }
  for (const Instant at : box.forgets_at)
    out += fmt::format(" forgets at {} ms", ms(at - Instant{}));
  for (const drivers::Outage& outage : box.outages) {
    out += fmt::format(" dead {} to {} ms{}{}", ms(outage.from - Instant{}),
                       ms(outage.until - Instant{}), outage.sent ? " out" : "",
                       outage.received ? " in" : "");
  }
  return out;
}

std::string text_of(const StackConfig& stack) {
  return fmt::format(
      "cc {} buffers {}..{} / {}..{} mtu {} msl {} ms rto {}/{}/{} ms syn_timeout {} ms "
      "user_timeout {} ms keep_alive {} ms ts {} ws {} sack {} ecn {} nagle {} delayed_ack {} ms "
      "textbook {} fast_open {} ({}) records {}/{}/{}",
      static_cast<int>(stack.congestion_control), stack.send_buffer, stack.send_buffer_max,
      stack.receive_buffer, stack.receive_buffer_max, stack.interface.mtu, ms(stack.msl),
      ms(stack.rto_initial), ms(stack.rto_min), ms(stack.rto_max), ms(stack.syn_timeout),
      ms(stack.user_timeout), ms(stack.keep_alive), stack.timestamps, stack.window_scaling,
      stack.sack, static_cast<int>(stack.ecn), stack.nagle, ms(stack.delayed_ack), stack.textbook,
      static_cast<int>(stack.fast_open), stack.max_fast_open, stack.max_connections,
      stack.max_half_open, stack.max_time_wait);
}

std::string text_of(const HostPlan& host) {
  std::string out =
      fmt::format("packets {} clock +{} ms {} ppm offloads {}{}{}\n    {}\n", host.config.packets,
                  ms(host.config.clock.ahead), host.config.clock.parts_per_million,
                  host.config.offloads.checksums, host.config.offloads.tso,
                  host.config.offloads.lro, text_of(host.config.stack));
  if (host.config.impair) {
    out += fmt::format("    sends:    {}\n    receives: {}\n", text_of(host.config.impair->send),
                       text_of(host.config.impair->receive));
  }
  if (host.has_box) out += fmt::format("    box: {}\n", text_of(host.box));
  for (const auto& [from, until] : host.droughts) {
    out += fmt::format("    no packets {} to {} ms\n", ms(from), ms(until));
  }
  for (const Duration at : host.restarts) out += fmt::format("    restarts at {} ms\n", ms(at));
  if (host.stops_at) out += fmt::format("    stops at {} ms\n", ms(*host.stops_at));
  return out;
}

std::string_view name_of(Sending sending) {
  constexpr std::string_view kNames[] = {"at once", "dribble", "reactive"};
  return kNames[static_cast<std::size_t>(sending)];
}
std::string_view name_of(Reading reading) {
  constexpr std::string_view kNames[] = {"eager", "partly", "again", "retain", "never"};
  return kNames[static_cast<std::size_t>(reading)];
}
std::string_view name_of(Closing closing) {
  constexpr std::string_view kNames[] = {"when sent", "when peer finished", "at quit", "within"};
  return kNames[static_cast<std::size_t>(closing)];
}

std::string text_of(const EndPlan& end) {
  std::string out = fmt::format(
      "{} bytes, piece {} pause {} ms, sends {}, reads {}, closes {}, quits at {} ms, whim {}{}",
      end.bytes, end.piece, ms(end.pause), name_of(end.sending), name_of(end.reading),
      name_of(end.closing), ms(end.quits_at), end.whim, end.uses_buffers ? ", buffers" : "");
  if (end.urgent > 0) out += fmt::format(", urgent {}", end.urgent);
  if (end.closing == Closing::within) out += fmt::format(", patience {} ms", ms(end.patience));
  if (end.aborts_in != 0) out += fmt::format(", aborts in callback {}", end.aborts_in);
  if (end.aborts_at) out += fmt::format(", aborts at {} ms", ms(*end.aborts_at));
  return out;
}

}  // namespace

std::string Plan::to_string() const {
  std::string out = fmt::format("seed {}{}: latency {} ms, rate {}, poll {} ms\n", seed,
                                is_hostile ? ", hostile" : "", ms(link.latency),
                                link.bits_per_second, ms(poll_interval));
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    out += fmt::format("  host {}: {}", i, text_of(hosts[i]));
  }
  for (std::size_t i = 0; i < connections.size(); ++i) {
    const ConnectionPlan& one = connections[i];
    out += fmt::format(
        "  connection {}: host {} to {}, IPv{}, at {} ms{}{}{}\n", i, one.client, one.server,
        one.is_v6 ? 6 : 4, ms(one.starts_at), one.is_fast ? ", fast" : "",
        one.opens_within ? ", within a callback" : "",
        one.is_mutual ? fmt::format(", mutual after {} ms", ms(one.mutual_delay)) : std::string{});
    out +=
        fmt::format("    client: {}\n    server: {}\n", text_of(one.ends[0]), text_of(one.ends[1]));
  }
  return out;
}

}  // namespace handfast::sim
