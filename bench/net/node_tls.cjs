// What tls_server.lua and tls_client.lua do, with Node's own module.
//   node_tls.cjs server CERTIFICATE KEY | client AUTHORITY PORT MEGABYTES
const fs = require('node:fs');
const tls = require('node:tls');

const [, , role, ...args] = process.argv;
if (role === 'server') {
  const server = tls.createServer({
    cert: fs.readFileSync(args[0]),
    key: fs.readFileSync(args[1]),
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('end', () => socket.end());
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1', 4096, () => console.log(server.address().port));
} else {
  const socket = tls.connect({
    port: Number(args[1]),
    host: '127.0.0.1',
    ca: fs.readFileSync(args[0]),
  });
  const piece = Buffer.alloc(65536);
  let left = Number(args[2]) * 16;
  const send = () => {
    while (left > 0) {
      left--;
      if (!socket.write(piece)) return;
    }
    socket.end();
  };
  socket.on('secureConnect', send);
  socket.on('drain', send);
}
