// The agents by name, for filters and rankings: read once, and again after a change.
import { type Agent, listAgents } from './api';
import { Store } from './store';

export class Agents extends Store {
  all: Agent[] = [];
  loaded = false;
  private asked = false;

  async read() {
    this.asked = true;
    try {
      this.all = (await listAgents()).agents;
      this.loaded = true;
    } catch {
      // Not for this reader, or no answer: ids stand for names.
    }
    this.changed();
  }

  want() {
    if (!this.asked) void this.read();
  }

  name(id: string): string {
    const plain = (one: string) => one.replaceAll('-', '').toLowerCase();
    return this.all.find((agent) => plain(agent.agent_id) === plain(id))?.name ?? id;
  }
}
