#include "tests/tcp/congestion/bottleneck.hpp"

#include <cmath>

namespace handfast::tcp {

Bottleneck::Bottleneck(WindowTest& sender, const Link& link)
    : s_(sender), link_(link), link_free_(sender.context.now), measured_since_(link_free_) {
  s_.tcb.cwnd = initial_window(kMss);
  s_.tcb.ssthresh = kNeverLost;
  s_.tcb.srtt_us = static_cast<std::uint32_t>(link.round_trip.count() / 1000);
  s_.transfer.pace_next = s_.context.now;
  s_.transfer.delivered_us = s_.transfer.first_sent_us = s_.context.now_us;
  s_.congestion.start(s_.tcb, s_.context);
}

void Bottleneck::run(Duration duration) {
  const Instant until = s_.context.now + duration;
  measured_since_ = s_.context.now;
  delivered_before_ = s_.transfer.delivered;
  queue_max_ = sent_ = lost_ = 0;
  queue_sum_ = 0;
  while (s_.context.now < until) {
    const Instant departs = next_departure();
    const auto arrived = std::ranges::find(flight_, false, &Segment::is_dropped);
    const Instant arrives = arrived == flight_.end() ? Instant::never() : arrived->acked;
    ASSERT_FALSE(departs.is_never() && arrives.is_never()) << "a standstill";
    s_.context.set_time(std::max(s_.context.now, std::min(departs, arrives)));
    if (departs < arrives) {
      send();
    } else {
      take_ack();
    }
  }
}

double Bottleneck::utilization() const {
  const double seconds = static_cast<double>((s_.context.now - measured_since_).count()) / 1e9;
  return static_cast<double>(s_.transfer.delivered - delivered_before_) / seconds /
         static_cast<double>(link_.bytes_per_second);
}

Instant Bottleneck::next_departure() const {
  if (s_.tcb.in_flight() + kMss > s_.tcb.cwnd) return Instant::never();
  return s_.transfer.pacing_rate == 0 ? s_.context.now : s_.transfer.pace_next;
}

void Bottleneck::send() {
  Transfer& t = s_.transfer;
  const Instant now = s_.context.now;
  const auto duration_of = [](std::uint64_t bytes, std::uint64_t rate) {
    return Duration(static_cast<std::int64_t>(bytes * 1'000'000'000 / rate));
  };
  if (t.pacing_rate != 0) t.pace_next = now + duration_of(kMss, t.pacing_rate);
  if (flight_.empty()) t.first_sent_us = t.delivered_us = s_.context.now_us;
  link_free_ = std::max(link_free_, now);
  const auto waiting = static_cast<std::uint64_t>((link_free_ - now).count());
  const std::uint64_t queue = waiting * link_.bytes_per_second / 1'000'000'000;
  const bool is_dropped = queue + kMss > link_.queue_bytes;
  if (!is_dropped) link_free_ = link_free_ + duration_of(kMss, link_.bytes_per_second);
  queue_max_ = std::max(queue_max_, queue);
  queue_sum_ += static_cast<double>(queue);
  ++sent_;
  s_.tcb.snd_nxt += kMss;
  flight_.push_back({.end = s_.tcb.snd_nxt,
                     .is_dropped = is_dropped,
                     .sent = now,
                     .acked = link_free_ + link_.round_trip,
                     .delivered = t.delivered,
                     .delivered_us = t.delivered_us,
                     .first_sent_us = t.first_sent_us});
}

void Bottleneck::take_ack() {
  AckSample sample;
  sample.prior_flight = s_.tcb.in_flight();
  sample.is_cwnd_limited = s_.tcb.in_flight() + kMss > s_.tcb.cwnd;
  while (flight_.front().is_dropped) {
    sample.lost += kMss;
    ++lost_;
    flight_.pop_front();
  }
  const Segment segment = flight_.front();
  flight_.pop_front();
  s_.tcb.snd_una = segment.end;
  sample.acked = sample.delivered = kMss;
  sample.rtt_us = static_cast<std::uint32_t>((s_.context.now - segment.sent).count() / 1000);
  s_.tcb.srtt_us = (7 * s_.tcb.srtt_us + sample.rtt_us) / 8;
  s_.transfer.delivered += kMss;
  s_.transfer.delivered_us = s_.context.now_us;
  sample_rate(segment, sample);
  react(sample);
}

// draft-cheng-iccrg-delivery-rate-estimation section 3.
void Bottleneck::sample_rate(const Segment& segment, AckSample& sample) {
  const auto sent_us = static_cast<std::uint32_t>(segment.sent.ns() / 1000);
  s_.transfer.first_sent_us = sent_us;
  sample.prior_delivered = segment.delivered;
  sample.rate_bytes = s_.transfer.delivered - segment.delivered;
  sample.rate_interval_us =
      std::max(sent_us - segment.first_sent_us, s_.context.now_us - segment.delivered_us);
}

void Bottleneck::react(AckSample& sample) {
  Transfer& t = s_.transfer;
  const Congestion& congestion = s_.congestion;
  if (t.recovery == Recovery::fast && s_.tcb.snd_una.is_at_or_after(t.recover)) {
    t.recovery = Recovery::open;
    congestion.on_recovered(s_.tcb, s_.context);
  }
  if (sample.lost > 0 && t.recovery == Recovery::open) {
    s_.tcb.ssthresh = congestion.reduced_window(s_.tcb, s_.tcb.in_flight(), s_.context);
    if (!congestion.owns_window) s_.tcb.cwnd = s_.tcb.ssthresh;
    t.recovery = Recovery::fast;
    t.recover = s_.tcb.snd_nxt;
  }
  congestion.observe(s_.tcb, sample, s_.context);
  if (congestion.owns_window || t.recovery == Recovery::open) {
    congestion.on_ack(s_.tcb, sample, s_.context);
  }
}

}  // namespace handfast::tcp
