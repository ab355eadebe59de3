// PostGraphile over the same tables as the hub, for `make bench`: one process, row-level security by who asks.
//
//   node serve.mjs <socket folder> <database> <port>
//
// Who asks stands in two headers, which nobody checks here: looking up a session is work that it is spared.
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import { postgraphile } from "postgraphile";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const [host, database, port] = process.argv.slice(2);

const preset = {
  extends: [PostGraphileAmberPreset],
  // It would leave out answers of a piece of feedback: their foreign key has a second column, and the index, which is
  // the primary key's, only the first. That's all PostgreSQL needs.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      poolConfig: { host, database, port: 5432, user: "bench_postgraphile", max: 10 },
      schemas: ["public", "bench"],
      pubsub: false,
    }),
  ],
  grafast: {
    context(requestContext) {
      const { headers } = requestContext.node.req;
      return {
        pgSettings: {
          "logbook.viewer": headers["x-viewer"] ?? "",
          "logbook.standings": headers["x-standings"] ?? "0",
        },
      };
    },
    explain: false,
  },
  grafserv: { graphiql: false, watch: false, maxRequestLength: 100_000 },
};

const pgl = postgraphile(preset);
const server = createServer();
server.keepAliveTimeout = 600_000;
const serv = pgl.createServ(grafserv);
await serv.addTo(server);
server.listen(Number(port), "127.0.0.1");
