# One client of the matrix in Ruby: net/http with OpenSSL.
#
# Usage: client.rb URL CALLS CONCURRENT SIZE [FIRST]
# Makes CALLS calls of the API at URL, CONCURRENT at a time (a thread and a connection each), with prompts of SIZE bytes; every second one
# is streamed. FIRST is called once before them, on the first connection. Prints `ok CALLS`.
require 'json'
require 'net/http'

url, calls, concurrent, size, first = ARGV
url = URI(url)
calls, concurrent, size = [calls, concurrent, size].map(&:to_i)

def connect(url)
  http = Net::HTTP.new(url.host, url.port)
  http.use_ssl = url.scheme == 'https'
  http.ca_file = ENV['SSL_CERT_FILE']
  http.read_timeout = 120
  http.start
end

def call(http, path, number, size)
  body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: "ruby #{number} äöü #{'x' * size}" }] }
  body[:stream] = true if number.odd?
  answer = http.post(path, JSON.generate(body), 'content-type' => 'application/json', 'accept-encoding' => 'identity')
  raise "#{answer.code}: #{answer.body[0, 200]}" unless answer.code == '200' && number.odd? == answer.body.include?('[DONE]')
end

opened = connect(url)
call(opened, URI(first).path, 0, size) if first
numbers = Queue.new
calls.times { |number| numbers << number }
numbers.close
workers = concurrent.times.map do |worker|
  Thread.new do
    http = worker.zero? ? opened : connect(url)
    while (number = numbers.pop)
      call(http, url.path, number, size)
    end
  end
end
workers.each(&:join)
puts "ok #{calls}"
