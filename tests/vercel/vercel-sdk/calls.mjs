// Asks the API at ADDRESS through the official SDK, which validates every answer, and prints what
// matters of them as JSON. Read from standard input, in the folder that has the SDK.
import { Vercel } from "@vercel/sdk";

const { ADDRESS, TOKEN, TEAM, PROJECT } = process.env;
const vercel = new Vercel({ bearerToken: TOKEN, serverURL: ADDRESS });
const scope = { teamId: TEAM };
const answers = {};

async function ask(name, call, pick = () => null) {
  try {
    answers[name] = pick(await call());
  } catch (error) {
    answers[name] = `failed: ${error.pretty ? error.pretty() : error}`;
  }
}

const job = async () =>
  (await vercel.projects.getProject({ idOrName: PROJECT, ...scope })).lastAliasRequest;

async function end() {
  for (let question = 0; question < 5; question += 1) {
    const last = await job();
    if (last && !["pending", "in-progress"].includes(last.jobStatus)) return last;
  }
  return "never ended";
}

const list = { projectId: PROJECT, target: "production", state: "READY", limit: 2, ...scope };
await ask("job", job);
await ask(
  "deployments",
  () => vercel.deployments.getDeployments({ ...list, rollbackCandidate: true }),
  (page) => page.deployments.map((each) => [each.uid, each.isRollbackCandidate, each.readySubstate]),
);
await ask(
  "deployment",
  () => vercel.deployments.getDeployment({ idOrUrl: "gpt-agent-1aaa.vercel.app", ...scope }),
  (found) => [found.id, found.projectId, found.readyState, found.target],
);
await ask(
  "domains",
  () => vercel.projects.getProjectDomains({ idOrName: PROJECT, production: "true", redirects: "false", ...scope }),
  (page) => page.domains.map((each) => each.name),
);
await ask(
  "alias",
  () => vercel.aliases.getAlias({ idOrAlias: "your-domain.com", ...scope }),
  (found) => found.deploymentId,
);
await ask(
  "variables",
  () => vercel.projects.filterProjectEnvs({ idOrName: PROJECT, ...scope }),
  (found) => found.envs.map((each) => each.key),
);
await ask(
  "events",
  () =>
    vercel.deployments.getDeploymentEvents({
      ...{ idOrUrl: "dpl_1first", builds: 1, direction: "backward", follow: 0, limit: 100 },
      ...scope,
    }),
  (events) => events.map((each) => each.text),
);
const request = { projectId: PROJECT, deploymentId: "dpl_2second", ...scope };
await ask("rollback", () => vercel.projects.requestRollback({ ...request, description: "slow" }));
await ask("rolled back", end, (last) => [last.type, last.jobStatus, last.toDeploymentId]);
await ask("promote", () => vercel.projects.requestPromote({ ...request, deploymentId: "dpl_3third" }));
await ask("promoted", end, (last) => [last.type, last.jobStatus, last.toDeploymentId]);
await ask(
  "moved",
  () => vercel.projects.listPromoteAliases({ projectId: PROJECT, failedOnly: false, ...scope }),
  (page) => page.aliases.map((each) => each.status),
);
console.log(JSON.stringify(answers));
