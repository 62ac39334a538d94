# Receives webhooks: WEBHOOK_SECRET=whsec_... ruby receiver.rb PORT
require "openssl"
require "socket"
require "timeout"

TOLERANCE_SECONDS = 5 * 60
LONGEST_BODY = 1024 * 1024
KEY = ENV.fetch("WEBHOOK_SECRET").delete_prefix("whsec_").unpack1("m0") # base64
abort "WEBHOOK_SECRET is too short" if KEY.bytesize < 24

def genuine?(headers, body)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature")
  return false unless id && signatures && timestamp&.match?(/\A[0-9]{1,12}\z/)
  return false if (Time.now.to_i - timestamp.to_i).abs > TOLERANCE_SECONDS
  expected = "v1," + [OpenSSL::HMAC.digest("SHA256", KEY, "#{id}.#{timestamp}.".b + body)].pack("m0")
  # While a secret is rotated there are several signatures: one that matches is enough.
  signatures.split(" ").any? do |given|
    given.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(given, expected)
  end
end

# Ruby has no HTTP server of its own; with Rack: headers are env["HTTP_WEBHOOK_ID"] and so on, the body
# env["rack.input"].read.
def read_request(client)
  client.gets("\r\n", 8192) # the request line
  headers = {}
  while (line = client.gets("\r\n", 8192)) && line != "\r\n" && headers.size < 100
    name, value = line.split(":", 2)
    headers[name.downcase] = value.to_s.strip
  end
  length = headers["content-length"].to_i
  return unless length.between?(0, LONGEST_BODY)
  body = client.read(length) # the bytes as they came: parsed JSON could not be verified any more
  [headers, body] if body && body.bytesize == length
end

def serve(client)
  headers, body = Timeout.timeout(30) { read_request(client) }
  # Here, if it is genuine: store webhook-id and body, unless the id is there already; work on it after the answer.
  status = headers && genuine?(headers, body) ? "204 No Content" : "400 Bad Request"
  length = status.start_with?("204") ? "" : "Content-Length: 0\r\n"
  client.write("HTTP/1.1 #{status}\r\n#{length}Connection: close\r\n\r\n")
rescue SystemCallError, IOError, Timeout::Error
  # The sender went away.
ensure
  client.close
end

server = TCPServer.new("127.0.0.1", Integer(ARGV.fetch(0)))
loop { Thread.new(server.accept) { |client| serve(client) } }
