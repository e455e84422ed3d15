-- Health of a SyncIntegration for Argo CD: resource.customizations.health.tidegate.dev_SyncIntegration
local health = { status = "Progressing", message = "waiting for the operator to see the change" }
if obj.status == nil or obj.status.conditions == nil then
  return health
end
if obj.status.observedGeneration == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
health.message = obj.status.message
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Stalled" and condition.status == "True" then
    health.status = "Degraded"
    return health
  end
end
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Ready" and condition.status == "True" then
    -- OFF, honoured or paused, is what Argo CD calls suspended; it ends the wait of a sync as Healthy does.
    if obj.status.phase == "Off" or obj.status.phase == "Paused" then
      health.status = "Suspended"
    else
      health.status = "Healthy"
    end
  end
end
return health
