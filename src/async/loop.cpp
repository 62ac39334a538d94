#include "async/loop.hpp"

#include <pthread.h>

namespace posthorn {

Loop::Loop(std::string name)
    : work_(boost::asio::make_work_guard(context_)), thread_([this, name = name.substr(0, 15)] {
          pthread_setname_np(pthread_self(), name.c_str());
          context_.run();
      }) {}

Loop::~Loop() { join(); }

void Loop::join() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
}

}  // namespace posthorn
