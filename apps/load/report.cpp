#include "apps/load/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "apps/load/stage_table.hpp"
#include "apps/options/rates.hpp"
#include "apps/options/readable.hpp"

namespace handfast::load {
namespace {

using apps::grouped;
using apps::per_second;
using apps::readable;
using apps::scaled;
using apps::seconds;
using Out = std::back_insert_iterator<std::string>;

std::string bit_rate(std::uint64_t bytes, Duration time) {
  return apps::readable_bit_rate(per_second(bytes, time) * 8);
}

Duration from_ns(std::uint64_t ns) {
  return Duration(static_cast<std::int64_t>(ns));
}

void row(Out out, std::string_view name, std::string_view value, std::string_view note = {}) {
  if (note.empty()) {
    fmt::format_to(out, "  {:<24}{:>16}\n", name, value);
  } else {
    fmt::format_to(out, "  {:<24}{:>16}  {}\n", name, value, note);
  }
}

void write_heading(Out out, const Report& report) {
  const Options& options = report.options;
  fmt::format_to(out, "\n{} to {}, {}, {} worker{} a side, {}{}\n", to_string(options.mode),
                 options.server.to_string(), options.embedded() ? "embedded server" : options.port,
                 options.workers, options.workers == 1 ? "" : "s", readable(report.run_time),
                 report.interrupted ? ", interrupted" : "");
}

template <std::size_t kCount>
void write_reasons(Out out, std::string_view what, const std::array<std::uint64_t, kCount>& counts,
                   auto&& name_of) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (counts[i] != 0) row(out, fmt::format("  {}", what), grouped(counts[i]), name_of(i));
  }
}

void write_connections(Out out, const Report& report) {
  const Tally& tally = report.books.client.tally;
  const auto reason = [](std::size_t i) { return to_string(static_cast<CloseReason>(i)); };
  const auto error = [](std::size_t i) { return to_string(static_cast<Error>(i)); };
  fmt::format_to(out, "\nconnections\n");
  row(out, "attempted", grouped(tally.attempted));
  row(out, "established", grouped(tally.established));
  row(out, "completed", grouped(tally.completed));
  row(out, "failed", grouped(tally.failed()));
  write_reasons(out, "while opening", tally.failed_to_open, reason);
  write_reasons(out, "when open", tally.failed_when_open, reason);
  write_reasons(out, "not attempted", tally.open_errors, error);
  if (report.books.client.open != 0) row(out, "still open", grouped(report.books.client.open));
  if (report.options.mode == Mode::connect || report.options.mode == Mode::request) {
    row(out, "rate", scaled(report.connections_per_second()) + "/s",
        report.options.held ? "opened and closed beside those held" : "opened and closed");
  }
  if (report.options.fast_open) {
    const Counters& counters = report.books.client.counters;
    row(out, "fast open", grouped(counters.fast_open_taken),
        fmt::format("requests taken with the SYN, of {} sent so",
                    grouped(counters.fast_open_sent)));
  }
  if (report.options.mode == Mode::exchange) {
    row(out, "requests", scaled(report.requests_per_second()) + "/s",
        fmt::format("{} in {}", grouped(report.round_trip.count()), readable(report.run_time)));
  }
  if (tally.room_wait_ns != 0) {
    row(out, "waited", readable(from_ns(tally.room_wait_ns)), "for TIME-WAIT records to end");
  }
}

void write_bottleneck(Out out, const Report& report) {
  fmt::format_to(out, "\nbottleneck  {}\n", describe_bottleneck(report.work));
}

// What the sender thought of the path at the end.
void write_sender(Out out, const ConnectionInfo& info) {
  const auto time = [](std::uint32_t us) { return readable(std::chrono::microseconds(us)); };
  row(out, "", time(info.rtt_us),
      fmt::format("round trip, {} at the least; {} of window, {} segments sent again",
                  time(info.min_rtt_us), apps::readable_bytes(info.snd_cwnd),
                  grouped(info.total_retrans)));
}

void write_special(Out out, const Report& report) {
  if (report.stream) {
    const StreamResult& stream = *report.stream;
    fmt::format_to(out, "\nstream ({})\n", readable(stream.time));
    row(out, "sent", bit_rate(stream.bytes_sent, stream.time),
        apps::readable_bytes(static_cast<double>(stream.bytes_sent)));
    row(out, "received", bit_rate(stream.bytes_received, stream.time),
        apps::readable_bytes(static_cast<double>(stream.bytes_received)));
  }
  if (!report.transfers.empty()) fmt::format_to(out, "\ntransfers\n");
  for (const apps::TransferRecord& transfer : report.transfers) {
    const std::uint64_t bytes = std::max(transfer.bytes_sent, transfer.bytes_received);
    row(out, transfer.ending.empty() ? "still open" : transfer.ending,
        bit_rate(bytes, transfer.time),
        fmt::format("{} bytes in {} {}", grouped(bytes), readable(transfer.time), transfer.sha256));
    if (transfer.info && transfer.bytes_sent > 0) write_sender(out, *transfer.info);
  }
}

void write_kept(Out out, const Report& report) {
  if (!report.kept) return;
  const KeptResult& kept = *report.kept;
  const MemoryUse& memory = kept.memory;
  const auto bytes = [](double count) { return fmt::format("{:.1f} B", count); };
  fmt::format_to(out, "\nheld\n");
  row(out, "connections", grouped(kept.connections));
  row(out, "opened in", readable(kept.open_time),
      scaled(per_second(kept.connections, kept.open_time)) + "/s");
  if (report.options.mode != Mode::hold) return;
  row(out, "memory of each end", bytes(memory.program_bytes_each()), "in the stack's tables");
  row(out, "", bytes(memory.kernel_bytes_each()), "as the kernel says: RSS and huge pages");
}

void write_times(Out out, std::string_view name, const Histogram& times) {
  if (times.count() == 0) return;
  const auto at = [&](double percent) { return readable(from_ns(times.percentile(percent))); };
  fmt::format_to(out, "\n{}\n  {:>12}{:>12}{:>12}{:>12}{:>12}\n", name, "p50", "p90", "p99",
                 "p99.9", "max");
  fmt::format_to(out, "  {:>12}{:>12}{:>12}{:>12}{:>12}\n", at(50), at(90), at(99), at(99.9),
                 readable(from_ns(times.max())));
}

void write_frames(Out out, const Report& report) {
  const Side& client = report.books.client;
  const auto cells = [&](std::string_view name, auto&& sent, auto&& received) {
    fmt::format_to(out, "  {:<24}{:>16}{:>16}", name, grouped(client.counters.*sent),
                   grouped(client.counters.*received));
    if (report.books.server) {
      fmt::format_to(out, "{:>16}{:>16}", grouped(report.books.server->counters.*sent),
                     grouped(report.books.server->counters.*received));
    }
    fmt::format_to(out, "\n");
  };
  fmt::format_to(out, "\n{:<26}{:>16}{:>16}{}\n", "frames", "client sent", "received",
                 report.books.server ? fmt::format("{:>16}{:>16}", "server sent", "received") : "");
  for (const FrameKind& kind : kTcpKinds) cells(kind.name, kind.sent, kind.received);
  cells("all, ARP included", &Counters::frames_sent, &Counters::frames_received);
  row(out, "a connection", apps::ratio(frames_per_connection(client)), "TCP segments, both ways");
  std::uint64_t again = retransmissions(client.counters);
  if (report.books.server) again += retransmissions(report.books.server->counters);
  row(out, "retransmissions", grouped(again));
}

void write_states(Out out, const Report& report) {
  const Side& client = report.books.client;
  fmt::format_to(out, "\n{:<26}{:>16}{}\n", "connections now in", "client",
                 report.books.server ? fmt::format("{:>16}", "server") : "");
  for (std::size_t i = 0; i < client.states.size(); ++i) {
    fmt::format_to(out, "  {:<24}{:>16}", to_string(static_cast<State>(i)),
                   grouped(client.states[i]));
    if (report.books.server) {
      fmt::format_to(out, "{:>16}", grouped(report.books.server->states[i]));
    }
    fmt::format_to(out, "\n");
  }
}

void write_time_wait(Out out, const Report& report) {
  Side both = report.books.client;
  if (report.books.server) both += *report.books.server;
  fmt::format_to(out, "\ncloses and their 2MSL ({})\n", readable(2 * report.options.msl));
  row(out, "kept to the end", grouped(both.counters.time_wait_kept));
  row(out, "still being kept", grouped(both.time_wait));
  row(out, "cut short", grouped(both.counters.time_wait_cut_short));
  if (both.counters.time_wait_reused != 0) {
    row(out, "reused by a newer SYN", grouped(both.counters.time_wait_reused));
  }
}

void write_drops(Out out, const Report& report) {
  std::string lines;
  const auto collect = [&](std::string_view end, const Counters& counters) {
    counters.for_each([&](std::string_view name, std::string_view meaning, std::uint64_t count) {
      if (count == 0 || !is_drop(name)) return;
      row(std::back_inserter(lines), fmt::format("{} {}", end, name), grouped(count), meaning);
    });
  };
  collect("client", report.books.client.counters);
  if (report.books.server) collect("server", report.books.server->counters);
  fmt::format_to(out, "\ndropped{}\n{}", lines.empty() ? ": nothing" : "", lines);
}

void write_verdict(Out out, const Report& report) {
  if (const std::string shortfall = report.shortfall(); !shortfall.empty()) {
    fmt::format_to(out, "\n{}\n", shortfall);
  }
  if (!report.drained) {
    fmt::format_to(out, "\nnot drained: connections were still open when the time for it was up\n");
  }
  if (report.disagreements.empty()) {
    fmt::format_to(out, "\nbooks: agree\n");
    return;
  }
  fmt::format_to(out, "\nbooks: DIFFER\n");
  for (const std::string& sentence : report.disagreements) {
    fmt::format_to(out, "  {}\n", sentence);
  }
}

}  // namespace

bool Report::went_well() const {
  std::uint64_t refused = 0;  // errors that end a run; the others are only waits
  const auto& errors = books.client.tally.open_errors;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const auto error = static_cast<Error>(i);
    if (error != Error::no_free_port && error != Error::no_connection_slot) refused += errors[i];
  }
  return drained && disagreements.empty() && books.client.tally.failed() == 0 && refused == 0 &&
         shortfall().empty();
}

double Report::connections_per_second() const {
  const Side& client = books.client;
  return per_second(client.tally.completed - client.held.completed, run_time);
}

double Report::requests_per_second() const {
  return per_second(round_trip.count(), run_time);
}

std::string Report::shortfall() const {
  const std::uint64_t asked = options.kept();
  const Tally& tally = options.held ? books.client.held : books.client.tally;
  if (asked == 0 || interrupted) return {};
  std::string advice;
  if (!books.server) {
    advice = "; is the peer told to hold so many (handfast-serve --max-connections)";
    advice +=
        options.mode == Mode::exchange ? ", and are its answers of that --response-size?" : "?";
  }
  if (tally.established < asked) {
    return fmt::format("only {} of {} connections could be opened{}", grouped(tally.established),
                       grouped(asked), advice);
  }
  if (tally.failed() != 0) {
    return fmt::format(
        "{} of {} open connections did not answer, or ended before they were closed{}",
        grouped(tally.failed()), grouped(asked), advice);
  }
  return {};
}

std::string to_text(const Report& report) {
  std::string text;
  const Out out = std::back_inserter(text);
  write_heading(out, report);
  write_connections(out, report);
  write_special(out, report);
  write_kept(out, report);
  write_times(out, "round trip", report.round_trip);
  write_times(out, "handshake time", report.handshake);
  write_bottleneck(out, report);
  write_frames(out, report);
  write_states(out, report);
  write_time_wait(out, report);
  text += stage_table(report.books);
  write_drops(out, report);
  write_verdict(out, report);
  return text;
}

std::string progress_heading(Mode mode) {
  return fmt::format("{:>9}{:>12}{:>12}{:>12}{:>14}{:>15}{:>9}{}\n", "time", "opened/s", "closed/s",
                     "in flight", "TIME-WAIT", "retransmitted", "failed",
                     mode == Mode::stream ? fmt::format("{:>14}", "payload") : "");
}

std::string progress_line(Mode mode, const Moment& before, const Moment& now) {
  const Duration time = now.time - before.time;
  return fmt::format(
      "{:>9}{:>12}{:>12}{:>12}{:>14}{:>15}{:>9}{}{}\n", fmt::format("{:.1f} s", seconds(now.time)),
      scaled(per_second(now.opened - before.opened, time)),
      scaled(per_second(now.closed - before.closed, time)), grouped(now.in_flight),
      grouped(now.time_wait), grouped(now.retransmitted), grouped(now.failed),
      mode == Mode::stream
          ? fmt::format("{:>14}", bit_rate(now.payload_bytes - before.payload_bytes, time))
          : "",
      now.room_wait_ns != before.room_wait_ns ? "  waiting for TIME-WAIT records to end" : "");
}

}  // namespace handfast::load
