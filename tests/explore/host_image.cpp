#include "tests/explore/host_image.hpp"

#include "tcp/transfer_pool.hpp"

namespace handfast::explore {

using tcp::QueuedPacket;
using tcp::SendNode;
using tcp::SendQueue;
using tcp::Tcb;
using tcp::Transfer;

namespace {

constexpr std::uint8_t kNoNode = 0xff;

// A SendNode but for its pointers. Who adds a member there adds it here.
struct NodeImage {
  std::uint64_t delivered;
  std::uint32_t seq;
  std::uint32_t length;
  std::uint32_t sent_us;
  std::uint32_t sent_ts;
  std::uint32_t delivered_us;
  std::uint32_t first_sent_us;
  std::uint8_t is_sent, is_sacked, is_lost, is_in_time, was_resent, was_app_limited, is_closed;
  std::uint8_t zero = 0;
};
static_assert(std::has_unique_object_representations_v<NodeImage>);
static_assert(sizeof(SendNode) == 96, "NodeImage must follow SendNode");

NodeImage image_of(const SendNode& node) {
  return {.delivered = node.delivered,
          .seq = node.seq.raw(),
          .length = node.length,
          .sent_us = node.sent_us,
          .sent_ts = node.sent_ts,
          .delivered_us = node.delivered_us,
          .first_sent_us = node.first_sent_us,
          .is_sent = node.is_sent,
          .is_sacked = node.is_sacked,
          .is_lost = node.is_lost,
          .is_in_time = node.is_in_time,
          .was_resent = node.was_resent,
          .was_app_limited = node.was_app_limited,
          .is_closed = node.is_closed};
}

// `is_in_time` follows with the order of transmission.
void set_node(SendNode& node, const NodeImage& from) {
  node.delivered = from.delivered;
  node.length = from.length;
  node.sent_us = from.sent_us;
  node.sent_ts = from.sent_ts;
  node.delivered_us = from.delivered_us;
  node.first_sent_us = from.first_sent_us;
  node.is_sent = from.is_sent != 0;
  node.is_sacked = from.is_sacked != 0;
  node.is_lost = from.is_lost != 0;
  node.was_resent = from.was_resent != 0;
  node.was_app_limited = from.was_app_limited != 0;
  node.is_closed = from.is_closed != 0;
}

struct RunImage {
  std::uint32_t seq;
  std::uint32_t length;
  std::uint32_t is_first;  // of its run
  std::uint32_t fin;
};

// Where the Transfer points to in the send queue, and the order of transmission.
struct Places {
  std::uint8_t unsent = kNoNode;
  std::uint8_t sack_hint = kNoNode;
  std::uint8_t lost_hint = kNoNode;
  std::uint8_t in_time_count = 0;
  std::array<std::uint8_t, 12> in_time{};
};

std::uint8_t place_of(const SendQueue& queue, const SendNode* wanted) {
  std::uint8_t place = 0;
  for (const SendNode* node = queue.front(); node != nullptr; node = queue.after(node), ++place) {
    if (node == wanted) return place;
  }
  return kNoNode;
}

Places places_in(const Tcb& tcb) {
  const Transfer& t = *tcb.transfer;
  Places places{.unsent = place_of(tcb.send_queue, t.unsent),
                .sack_hint = place_of(tcb.send_queue, t.sack_hint),
                .lost_hint = place_of(tcb.send_queue, t.lost_hint)};
  for (const SendNode* node = t.in_time.oldest(); node != nullptr; node = node->later) {
    HANDFAST_ASSERT(places.in_time_count < places.in_time.size());
    places.in_time[places.in_time_count++] = place_of(tcb.send_queue, node);
  }
  return places;
}

void store_transfer(const Tcb& tcb, Image& image) {
  alignas(Transfer) std::array<std::byte, sizeof(Transfer)> bytes;
  std::memcpy(bytes.data(), static_cast<const void*>(tcb.transfer), sizeof(Transfer));
  auto& copy = *reinterpret_cast<Transfer*>(bytes.data());
  copy.flight_of_late = 0;  // bounds what may be queued, which is far from being reached here
  copy.generation = copy.next_free = 0;
  copy.unsent = copy.sack_hint = copy.lost_hint = nullptr;
  copy.in_time = {};
  image.put(bytes);
  image.put(places_in(tcb));
}

void store_send_queue(const Tcb& tcb, Image& image) {
  std::uint64_t count = 0;
  for (const SendNode* node = tcb.send_queue.front(); node != nullptr;
       node = tcb.send_queue.after(node)) {
    ++count;
  }
  image.put(count);
  for (const SendNode* node = tcb.send_queue.front(); node != nullptr;
       node = tcb.send_queue.after(node)) {
    image.put(image_of(*node));
    image.put_bytes(node->text, node->length);
  }
}

void store_reassembly(const Tcb& tcb, Image& image) {
  image.put(std::uint64_t{tcb.reassembly_count});
  for (const QueuedPacket* run = tcb.reassembly.lowest(); run != nullptr;
       run = tcb.reassembly.starting_after(run->seq)) {
    for (const QueuedPacket* packet = run;; packet = packet->next) {
      image.put(RunImage{.seq = packet->seq.raw(),
                         .length = packet->length,
                         .is_first = packet == run ? 1U : 0U,
                         .fin = packet->fin ? 1U : 0U});
      image.put_bytes(packet->text, packet->length);
      if (packet == run->run_last) break;
    }
  }
}

// In order by construction: numbers do not matter.
void store_receive_queue(const Tcb& tcb, Image& image) {
  std::uint64_t count = 0;
  for (auto* p = tcb.receive_queue.front(); p != nullptr; p = tcb.receive_queue.after(p)) ++count;
  image.put(count);
  for (auto* p = tcb.receive_queue.front(); p != nullptr; p = tcb.receive_queue.after(p)) {
    image.put(std::uint64_t{p->length});
    image.put_bytes(p->text, p->length);
  }
}

void store_tcb(const Tcb& tcb, Image& image) {
  alignas(Tcb) std::array<std::byte, sizeof(Tcb)> bytes;
  std::memcpy(bytes.data(), static_cast<const void*>(&tcb), sizeof(Tcb));
  auto& copy = *reinterpret_cast<Tcb*>(bytes.data());
  std::memset(static_cast<void*>(&copy.key), 0, sizeof copy.key);
  copy.transfer = nullptr;
  copy.send_queue = {};
  copy.receive_queue = {};
  copy.reassembly = {};
  image.put(bytes);
  image.put(std::uint64_t{tcb.transfer != nullptr});
  if (tcb.transfer != nullptr) {
    store_transfer(tcb, image);
    store_send_queue(tcb, image);
  }
  store_receive_queue(tcb, image);
  store_reassembly(tcb, image);
}

// --- and back

void load_send_queue(Tcb& tcb, const Places& places, tcp::Context& context, ImageReader& from) {
  std::array<SendNode*, 64> nodes{};
  const auto count = from.take<std::uint64_t>();
  HANDFAST_ASSERT(count <= nodes.size());
  for (std::size_t i = 0; i < count; ++i) {
    base::Packet packet;
    HANDFAST_ASSERT(context.packets.allocate(packet));
    const auto saved = from.take<NodeImage>();
    nodes[i] = tcp::make_send_node(packet, base::Seq{saved.seq});
    set_node(*nodes[i], saved);
    from.take_bytes(nodes[i]->text, saved.length);
    tcb.send_queue.push_back(nodes[i]);
  }
  const auto at = [&nodes](std::uint8_t place) {
    return place == kNoNode ? nullptr : nodes[place];
  };
  Transfer& t = *tcb.transfer;
  t.unsent = at(places.unsent);
  t.sack_hint = at(places.sack_hint);
  t.lost_hint = at(places.lost_hint);
  for (std::size_t i = 0; i < places.in_time_count; ++i) t.in_time.push(at(places.in_time[i]));
}

void load_transfer(Tcb& tcb, tcp::Context& context, ImageReader& from) {
  const auto index = context.transfers.allocate();
  HANDFAST_ASSERT(index);
  Transfer& transfer = context.transfers[*index];
  const std::uint32_t generation = transfer.generation;
  from.take_bytes(static_cast<void*>(&transfer), sizeof transfer);
  transfer.generation = generation;
  tcb.transfer = &transfer;
  const auto places = from.take<Places>();
  load_send_queue(tcb, places, context, from);
}

void load_reassembly(Tcb& tcb, tcp::Context& context, ImageReader& from) {
  const auto count = from.take<std::uint64_t>();
  QueuedPacket* run = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    base::Packet packet;
    HANDFAST_ASSERT(context.packets.allocate(packet));
    const auto saved = from.take<RunImage>();
    from.take_bytes(packet.data, saved.length);
    packet.length = saved.length;
    QueuedPacket* const queued =
        tcp::make_queued(packet, packet.data, saved.length, base::Seq{saved.seq}, saved.fin != 0);
    if (saved.is_first != 0) {
      tcb.reassembly.insert(queued);
      run = queued;
    } else {
      tcb.reassembly.append(run, queued);
    }
  }
}

void load_receive_queue(Tcb& tcb, tcp::Context& context, ImageReader& from) {
  for (auto count = from.take<std::uint64_t>(); count > 0; --count) {
    base::Packet packet;
    HANDFAST_ASSERT(context.packets.allocate(packet));
    packet.length = static_cast<std::uint32_t>(from.take<std::uint64_t>());
    from.take_bytes(packet.data, packet.length);
    tcb.receive_queue.push_back(
        tcp::make_queued(packet, packet.data, packet.length, tcb.rcv_nxt, false));
  }
}

}  // namespace

void HostImage::store(const Host& host, Image& image) {
  image.put(host.books_);
  switch (host.books_.kind) {
    case RecordKind::connection:
      return store_tcb(host.tcb_, image);
    case RecordKind::half_open:
      return image.put_bytes(&host.half_, sizeof host.half_);
    case RecordKind::time_wait:
      image.put(host.time_wait_.snd_nxt);
      image.put(host.time_wait_.rcv_nxt);
      image.put(host.time_wait_.ts_recent);
      image.put(std::uint64_t{host.time_wait_.timestamps});
      return image.put(host.time_wait_ends_);
    case RecordKind::none:
      return;
  }
}

void HostImage::load(Host& host, ImageReader& from) {
  host.clear();
  host.books_ = from.take<Books>();
  switch (host.books_.kind) {
    case RecordKind::connection:
      from.take_bytes(static_cast<void*>(&host.tcb_), sizeof host.tcb_);
      host.tcb_.key = host.key();
      if (from.take<std::uint64_t>() != 0) load_transfer(host.tcb_, *host.context_, from);
      load_receive_queue(host.tcb_, *host.context_, from);
      return load_reassembly(host.tcb_, *host.context_, from);
    case RecordKind::half_open:
      from.take_bytes(static_cast<void*>(&host.half_), sizeof host.half_);
      return;
    case RecordKind::time_wait:
      host.time_wait_.snd_nxt = from.take<base::Seq>();
      host.time_wait_.rcv_nxt = from.take<base::Seq>();
      host.time_wait_.ts_recent = from.take<std::uint32_t>();
      host.time_wait_.timestamps = from.take<std::uint64_t>() != 0;
      host.time_wait_ends_ = from.take<base::Tick>();
      return;
    case RecordKind::none:
      return;
  }
}

}  // namespace handfast::explore
