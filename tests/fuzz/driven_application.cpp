#include "tests/fuzz/driven_application.hpp"

#include "base/assert.hpp"

namespace handfast::fuzz {

using namespace std::chrono_literals;

class DrivenApplication::Inside {
 public:
  explicit Inside(bool& mark) : mark_(mark) {
    HANDFAST_ASSERT(!mark_);
    mark_ = true;
  }
  ~Inside() { mark_ = false; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool& mark_;
};

bool DrivenApplication::are_all_closed() const {
  return std::ranges::all_of(lives_, &Life::is_closed);
}

// A connection's context says which life it is.
DrivenApplication::Life& DrivenApplication::life_of(Connection connection) {
  const std::uint64_t word = connection.context();
  HANDFAST_ASSERT(word != 0 && word <= lives_.size());
  Life& life = lives_[word - 1];
  HANDFAST_ASSERT(life.connection == connection && !life.is_closed);
  return life;
}

DrivenApplication::Life& DrivenApplication::begin(Connection connection) {
  lives_.push_back({.connection = connection});
  connection.set_context(lives_.size());
  return lives_.back();
}

Connection DrivenApplication::choose() {
  if (lives_.empty()) return {};
  const std::size_t back = input_.below(std::min(lives_.size(), kRemembered));
  return lives_[lives_.size() - 1 - back].connection;
}

// --- events

void DrivenApplication::on_open(Connection connection) {
  const Inside inside(is_inside_);
  Life& life = connection.context() == 0 ? begin(connection) : life_of(connection);
  HANDFAST_ASSERT(!life.is_open && !life.is_aborted);
  life.is_open = true;
  act_inside(connection);
}

std::size_t DrivenApplication::on_data(Connection connection, Bytes data) {
  const Inside inside(is_inside_);
  const Life& life = life_of(connection);
  HANDFAST_ASSERT(life.is_open && !life.is_finished && !life.is_aborted && !data.empty());
  std::size_t took = data.size();
  const std::uint8_t how = input_.byte();
  if (how % 8 == 1) took = how / 8;
  if (how % 8 == 2) took = 0;
  if (how % 8 == 3 && buffers_.size() < kBuffersMax) {
    if (auto kept = connection.retain()) {
      HANDFAST_ASSERT(kept->size() == data.size() && kept->bytes().data() == data.data());
      buffers_.push_back(std::move(*kept));
    }
  }
  act_inside(connection);
  return took;
}

void DrivenApplication::on_urgent(Connection connection) {
  const Inside inside(is_inside_);
  HANDFAST_ASSERT(!life_of(connection).is_aborted);
  act_inside(connection);
}

void DrivenApplication::on_writable(Connection connection) {
  const Inside inside(is_inside_);
  HANDFAST_ASSERT(!life_of(connection).is_aborted);
  act_inside(connection);
}

void DrivenApplication::on_peer_finished(Connection connection) {
  const Inside inside(is_inside_);
  Life& life = life_of(connection);
  HANDFAST_ASSERT(life.is_open && !life.is_finished && !life.is_aborted);
  life.is_finished = true;
  if (!input_.flag()) (void)connection.close();
  act_inside(connection);
}

void DrivenApplication::on_timer(Connection connection) {
  const Inside inside(is_inside_);
  HANDFAST_ASSERT(!life_of(connection).is_aborted);
  act_inside(connection);
}

void DrivenApplication::on_closed(Connection connection, CloseReason) {
  const Inside inside(is_inside_);
  Life& life = life_of(connection);
  life.is_closed = true;
  HANDFAST_ASSERT(!connection.send(Bytes{}).has_value());
  act_inside(connection);
}

// --- calls

void DrivenApplication::act_inside(Connection connection) {
  const std::size_t calls = input_.byte() % 8 / 3;
  for (std::size_t i = 0; i < calls; ++i) {
    if (input_.byte() % 4 == 3) {
      act();
    } else {
      act_on(connection);
    }
  }
}

void DrivenApplication::act() {
  switch (input_.below(8)) {
    case 0:
      return connect();
    case 1:
      return listen();
    case 2:
      if (!buffers_.empty()) buffers_.erase(buffers_.begin());
      return;
    case 3:
      if (buffers_.size() >= kBuffersMax) return;
      if (auto buffer = worker_->allocate_buffer()) buffers_.push_back(std::move(*buffer));
      return;
    default:
      return act_on(choose());
  }
}

void DrivenApplication::act_on(Connection connection) {
  if (connection == Connection{}) return;
  switch (input_.below(12)) {
    case 0:
    case 1:
    case 2:
      (void)connection.send(std::span{text_}.first(input_.half() % text_.size()));
      return;
    case 3:
      (void)connection.send_urgent(std::span{text_}.first(input_.byte()));
      return;
    case 4:
      return send_buffer(connection);
    case 5:
    case 6:
      (void)connection.resume_receive();
      return;
    case 7:
      (void)connection.close();
      return;
    case 8:
      if (!connection.abort()) return;
      for (Life& life : lives_) {
        if (life.connection == connection) life.is_aborted = true;
      }
      return;
    case 9:
      return look_at(connection);
    default:
      return set_something(connection);
  }
}

void DrivenApplication::set_something(Connection connection) {
  const std::uint8_t value = input_.byte();
  switch (input_.below(7)) {
    case 0:
      (void)connection.set_timer(value == 255 ? Duration::max() : value * 10ms);
      return;
    case 1:
      (void)connection.set_user_timeout(value * 100ms);
      return;
    case 2:
      (void)connection.set_nagle((value & 1) != 0);
      return;
    case 3:
      (void)connection.set_keep_alive(value * 1s);
      return;
    case 4:
      (void)connection.set_congestion_control(static_cast<CongestionControl>(value % 5));
      return;
    default:
      // What is left when its patience ends is aborted: no event but the last comes after that,
      // but nobody was told so yet.
      (void)connection.close_within(value * 20ms);
      return;
  }
}

void DrivenApplication::send_buffer(Connection connection) {
  if (buffers_.empty()) return;
  Buffer buffer = std::move(buffers_.back());
  buffers_.pop_back();
  if (input_.flag()) buffer.resize(input_.half());
  const bool sent = connection.send(std::move(buffer)).has_value();
  HANDFAST_ASSERT(buffer.is_valid() != sent);
}

void DrivenApplication::connect() {
  ConnectOptions options;
  const std::uint8_t how = input_.byte();
  if ((how & 1) != 0) options.source_port = static_cast<std::uint16_t>(40'000 + how / 16);
  options.fast_open = (how & 2) != 0;
  if ((how & 4) != 0) options.connection.keep_alive = 1s;
  if ((how & 8) != 0) options.connection.congestion_control = CongestionControl::bbr;
  const Endpoint remote = remotes_[input_.below(remotes_.size())];
  const auto connection = worker_->connect(remote, *this, options);
  if (connection) begin(*connection);
}

void DrivenApplication::listen() {
  const Endpoint local{{}, static_cast<std::uint16_t>(80 + input_.below(4))};
  if (input_.flag()) {
    worker_->stop_listening(local);
  } else {
    (void)worker_->listen(local, *this);
  }
}

void DrivenApplication::look_at(Connection connection) const {
  const auto info = connection.info();
  HANDFAST_ASSERT(info.has_value() == connection.is_alive());
  if (!info) {
    HANDFAST_ASSERT(connection.bytes_queued() == 0 && connection.urgent_bytes() == 0);
    return;
  }
  HANDFAST_ASSERT(info->state != State::closed && info->state != State::listen);
  HANDFAST_ASSERT(info->unacked + std::uint64_t{info->notsent} <= connection.bytes_queued() + 2U);
}

}  // namespace handfast::fuzz
