// Servers over Node's own modules, on 127.0.0.1: node_server.cjs echo|sink|udp. Prints its port.
const net = require('node:net');
const dgram = require('node:dgram');

const kind = process.argv[2];
if (kind === 'udp') {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address));
  socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));
} else {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (kind === 'echo') socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1', 4096, () => console.log(server.address().port));
}
