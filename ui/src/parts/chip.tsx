/** A filter that is on; pressing it takes it off. */
export function Chip({ name, value, remove }: { name: string; value: string; remove: () => void }) {
  return (
    <button type="button" class="chip" aria-label={`Remove filter ${name} ${value}`} onClick={remove}>
      <span class="faint">{name}</span> {value} <span aria-hidden="true">×</span>
    </button>
  );
}
