#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

namespace posthorn {

// One thread that runs one io_context: everything given to it runs there, one after the other.
class Loop {
public:
    explicit Loop(std::string name);
    ~Loop();  // lets what is queued end, then joins
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    boost::asio::io_context& context() { return context_; }
    boost::asio::any_io_executor executor() { return context_.get_executor(); }
    void join();  // returns when nothing is left to run

private:
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
};

}  // namespace posthorn
